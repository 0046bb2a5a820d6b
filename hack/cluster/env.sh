# shellcheck shell=bash
# Where the cluster's programs and state are; sourced, never run. A shell gets the same view:
#
#   . hack/cluster/env.sh && kubectl get nodes
#
# State is outside the tree, so that a fresh clone finds what an older one built.
if [ -z "${CLUSTER_STATE:-}" ]; then
    if [ "$(id -u)" = 0 ]; then
        CLUSTER_STATE=/var/lib/mapreduce-cluster
    else
        CLUSTER_STATE=${XDG_STATE_HOME:-$HOME/.local/state}/mapreduce-cluster
    fi
fi
export CLUSTER_STATE
export CLUSTER_NAME=mapreduce
# Its own file: the user's kubeconfig and current context stay as they are.
export KUBECONFIG=$CLUSTER_STATE/kubeconfig
case ":$PATH:" in
    *":$CLUSTER_STATE/bin:"*) ;;
    # Last, so that programs the user installed come first.
    *) export PATH=$PATH:$CLUSTER_STATE/bin ;;
esac
