#!/usr/bin/env bash
# Build a stand-in for the official Python image from Debian's packages, under the same
# name, for a machine that can pull no image: a Dockerfile that begins with
# `FROM python:3.13-slim-trixie` then builds unchanged. Needs root and debootstrap.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=hack/cluster/env.sh
. "$here/env.sh"
state=$CLUSTER_STATE
tag=${1:-python:3.13-slim-trixie}
root=$state/python-rootfs

if docker image inspect "$tag" >/dev/null 2>&1; then
    exit 0
fi
"$here/packages.sh" debootstrap:debootstrap
if [ ! -e "$root/.complete" ]; then
    rm -rf "$root"
    mkdir -p "$state"
    debootstrap --variant=minbase --include=python3,python3-venv,python3-pip-whl,ca-certificates trixie "$root" >"$state/python-debootstrap.log"
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}
    rm -f "$root"/usr/lib/python3*/EXTERNALLY-MANAGED
    # What this machine trusts, an image built on it trusts.
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
    chroot "$root" /usr/bin/python3 -m venv --copies /tmp/seed
    chroot "$root" /tmp/seed/bin/pip --version >/dev/null
    cp -a "$root"/tmp/seed/lib/python3.13/site-packages/{pip,pip-*} "$root/usr/local/lib/python3.13/dist-packages/"
    rm -rf "$root/tmp/seed"
    ln -sf /usr/bin/python3 "$root/usr/local/bin/python3"
    ln -sf /usr/bin/python3 "$root/usr/local/bin/python"
    printf '#!/bin/sh\nexec /usr/bin/python3 -m pip "$@"\n' >"$root/usr/local/bin/pip"
    chmod +x "$root/usr/local/bin/pip"
    touch "$root/.complete"
fi
tar -C "$root" --exclude='./proc/*' --exclude='./sys/*' -c . | docker import \
    -c 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
    -c 'ENV LANG=C.UTF-8' \
    -c 'ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt' \
    -c 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt' \
    -c 'CMD ["python3"]' \
    - "$tag" >/dev/null
