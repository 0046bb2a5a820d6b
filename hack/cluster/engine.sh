#!/usr/bin/env bash
# Start a Docker Engine that can run privileged containers on a machine that has
# Debian's packages, root, and no engine of its own. Idempotent: prints nothing to do
# when an engine already answers.
#
# Why the runtime wrapper: a container host may lack CAP_SYS_RESOURCE. Docker's
# --privileged asks for every capability, and runc refuses what it does not hold, so
# the wrapper drops that one capability from each container before runc reads it.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=hack/cluster/env.sh
. "$here/env.sh"
state=$CLUSTER_STATE

if docker info >/dev/null 2>&1; then
    exit 0
fi
[ "$(id -u)" = 0 ] || { echo "engine.sh: no Docker Engine answers, and starting one needs root" >&2; exit 1; }

"$here/packages.sh" docker:docker.io dockerd:docker.io containerd:containerd runc:runc jq:jq iptables:iptables

mkdir -p "$state/docker"
install -m 0755 "$here/node/runc-wrapper" "$state/runc-wrapper"
setsid dockerd \
    --data-root "$state/docker" \
    --add-runtime "capped=$state/runc-wrapper" \
    --default-runtime capped \
    >"$state/dockerd.log" 2>&1 </dev/null &

for _ in $(seq 60); do
    docker info >/dev/null 2>&1 && exit 0
    sleep 0.5
done
echo "engine.sh: dockerd did not answer in 30 s; see $state/dockerd.log" >&2
exit 1
