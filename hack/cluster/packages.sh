#!/usr/bin/env bash
# Install Debian packages for the programs that are missing: `packages.sh PROGRAM:PACKAGE…`.
# Asks nothing of the package mirror where all are there.
set -euo pipefail

missing=()
for tool in "$@"; do
    command -v "${tool%%:*}" >/dev/null || missing+=("${tool##*:}")
done
[ "${#missing[@]}" -gt 0 ] || exit 0
[ "$(id -u)" = 0 ] || { echo "packages.sh: not root; install ${missing[*]} first" >&2; exit 1; }
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
