#!/usr/bin/env bash
# Put promtool into $CLUSTER_STATE/bin, once: out of Debian's package of Prometheus, which is
# unpacked and not installed, since that would start a server.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=hack/cluster/env.sh
. "$here/env.sh"
if command -v promtool >/dev/null; then exit 0; fi
for tool in apt-get dpkg; do
    command -v "$tool" >/dev/null || { echo "promtool.sh: no $tool here; install promtool first" >&2; exit 1; }
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
download() { apt-get download -qq prometheus 2>/dev/null; }
# Only where the lists of packages do not know it, or know a version that is gone, are they read anew.
download || { apt-get update -qq && download; }
dpkg -x prometheus_*.deb tree
mkdir -p "$CLUSTER_STATE/bin"
mv tree/usr/bin/promtool "$CLUSTER_STATE/bin/.promtool"
mv "$CLUSTER_STATE/bin/.promtool" "$CLUSTER_STATE/bin/promtool"
