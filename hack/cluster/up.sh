#!/usr/bin/env bash
# Everything a kind test needs on a machine that can pull no image: a Docker Engine, the
# node image, the Python base image, and kind, kubectl and helm. Prints the line that
# puts the programs on PATH and names the cluster's kubeconfig. Each step is skipped where
# its result is already there.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=hack/cluster/env.sh
. "$here/env.sh"
mkdir -p "$CLUSTER_STATE/bin"

"$here/engine.sh"
"$here/python-image.sh"
"$here/programs.sh" kind helm kubectl
"$here/node-image.sh"
echo "export PATH=\$PATH:$CLUSTER_STATE/bin KUBECONFIG=$KUBECONFIG"
