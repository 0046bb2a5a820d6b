#!/usr/bin/env bash
# Compile programs of the cluster from pinned Go modules into $CLUSTER_STATE/bin, each once:
#
#   programs.sh kind helm kubectl           what a user of a cluster needs
#   programs.sh etcd kube-apiserver         an API server without nodes, for tests/apiserver
#
# Compiled rather than downloaded: the Go module proxy with its checksums is enough.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=hack/cluster/env.sh
. "$here/env.sh"
version=1.34.4
bin=$CLUSTER_STATE/bin
mkdir -p "$bin"

build() { # MODULE-DIR PACKAGE OUTPUT [LDFLAGS]
    [ -x "$bin/$3" ] && return
    command -v go >/dev/null || { echo "programs.sh: building $3 needs Go" >&2; exit 1; }
    printf '%s building %s\n' "$(date +%H:%M:%S)" "$3" >&2
    # Built beside its place and renamed, so that a broken-off build leaves nothing runnable.
    (cd "$here/go/$1" && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w ${4:-}" -o "$bin/.$3" "$2")
    mv "$bin/.$3" "$bin/$3"
}

stamp="-X k8s.io/component-base/version.gitVersion=v$version \
 -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=34"
for program in "$@"; do
    case "$program" in
        kube* ) build kubernetes "k8s.io/kubernetes/cmd/$program" "$program" "$stamp" ;;
        etcd) build etcd go.etcd.io/etcd/server/v3 etcd ;;
        coredns) build coredns github.com/coredns/coredns coredns ;;
        local-path-provisioner) build local-path-provisioner github.com/rancher/local-path-provisioner "$program" ;;
        kind) build kind sigs.k8s.io/kind kind ;;
        helm) build helm helm.sh/helm/v3/cmd/helm helm ;;
        *) echo "programs.sh: no such program: $program" >&2; exit 2 ;;
    esac
done
