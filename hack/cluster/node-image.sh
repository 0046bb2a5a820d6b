#!/usr/bin/env bash
# Build a kind node image from Debian's packages and Go modules, for a machine that can
# pull no image. Where images can be pulled, kind's own node image serves instead.
#
#   node-image.sh [TAG]          TAG defaults to mapreduce.local/node:v1.34.4
#
# Needs root, a Docker Engine (engine.sh), Go, gcc and debootstrap. The first build
# compiles Kubernetes (about 15 minutes on two cores); later ones reuse $CLUSTER_STATE
# and the Go build cache.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=hack/cluster/env.sh
. "$here/env.sh"
state=$CLUSTER_STATE
version=1.34.4
tag=${1:-mapreduce.local/node:v$version}
bin=$state/bin
mkdir -p "$bin"

if docker image inspect "$tag" >/dev/null 2>&1; then
    exit 0
fi

say() { printf '%s %s\n' "$(date +%H:%M:%S)" "$*" >&2; }

# --- programs -----------------------------------------------------------------
"$here/packages.sh" gcc:build-essential debootstrap:debootstrap busybox:busybox-static
"$here/programs.sh" kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubeadm kubectl \
    etcd coredns local-path-provisioner
[ -x "$bin/pause" ] || gcc -Os -static -o "$bin/pause" "$here/node/pause.c"

# --- images of the control plane -----------------------------------------------
images=$state/images
rm -rf "$images"
mkdir -p "$images"
image() { # NAME ROOT [docker-import changes…]: import ROOT as NAME and save it
    local name=$1 root=$2
    shift 2
    tar -C "$root" -c . | docker import "$@" - "$name" >/dev/null
    docker save "$name" -o "$images/$(echo "$name" | tr '/:' '__').tar"
}
single() { # NAME PROGRAM: an image that holds one static program
    local root
    root=$(mktemp -d)
    mkdir -p "$root/usr/local/bin" "$root/tmp" "$root/etc"
    cp "$bin/$2" "$root/usr/local/bin/"
    image "$1" "$root" -c 'ENV PATH=/usr/local/bin' -c "ENTRYPOINT [\"/usr/local/bin/$2\"]"
    rm -rf "$root"
}
say "packing the control plane's images"
for program in kube-apiserver kube-controller-manager kube-scheduler; do
    single "registry.k8s.io/$program:v$version" "$program"
done
single registry.k8s.io/etcd:3.6.5-0 etcd
single registry.k8s.io/coredns/coredns:v1.12.1 coredns
single registry.k8s.io/pause:3.10.1 pause
single registry.k8s.io/local-path-provisioner:local local-path-provisioner

busybox=$(mktemp -d)
mkdir -p "$busybox/bin" "$busybox/tmp"
cp "$(command -v busybox)" "$busybox/bin/busybox"
for applet in sh mkdir rm ls cat sleep; do ln -s busybox "$busybox/bin/$applet"; done
image registry.k8s.io/busybox:local "$busybox" -c 'ENV PATH=/bin'

# --- the node's root file system -------------------------------------------------
rootfs=$state/rootfs
if [ ! -e "$rootfs/.complete" ]; then
    say "bootstrapping Debian"
    rm -rf "$rootfs"
    debootstrap --variant=minbase \
        --include=systemd,systemd-sysv,dbus,containerd,runc,containernetworking-plugins,iptables,nftables,iproute2,conntrack,ethtool,ebtables,socat,util-linux,mount,kmod,procps,ca-certificates,curl,jq \
        bookworm "$rootfs" >"$state/debootstrap.log"
    rm -rf "$rootfs"/var/cache/apt/archives/*.deb "$rootfs"/var/lib/apt/lists/* "$rootfs"/usr/share/{doc,man,locale}
    touch "$rootfs/.complete"
fi

# kube-proxy and the route keeper need iptables, conntrack and ip with their libraries.
say "packing kube-proxy and the route keeper"
net=$(mktemp -d)
mkdir -p "$net/usr/local/bin" "$net/tmp" "$net/run" "$net/var/lib"
for path in bin sbin lib lib64; do ln -s "usr/$path" "$net/$path"; done
mkdir -p "$net/usr/bin" "$net/usr/sbin" "$net/usr/lib" "$net/usr/lib64"
(cd "$rootfs" && tar -c usr/sbin/{xtables-nft-multi,iptables-nft,iptables-nft-save,iptables-nft-restore,ip6tables-nft,ip6tables-nft-save,ip6tables-nft-restore,nft,conntrack} \
    usr/bin/kmod usr/sbin/modprobe usr/bin/{ip,dash,sh,sleep,mv,cat} usr/sbin/ip bin/ip 2>/dev/null || true) | tar -C "$net" -x 2>/dev/null || true
cp "$rootfs/bin/ip" "$net/usr/bin/ip" 2>/dev/null || cp "$rootfs/usr/bin/ip" "$net/usr/bin/ip"
for tool in iptables ip6tables; do
    for suffix in "" -save -restore; do ln -sf xtables-nft-multi "$net/usr/sbin/$tool$suffix"; done
done
mkdir -p "$net/usr/lib/x86_64-linux-gnu"
cp -a "$rootfs/usr/lib/x86_64-linux-gnu/xtables" "$net/usr/lib/x86_64-linux-gnu/"
for program in usr/sbin/xtables-nft-multi usr/sbin/nft usr/sbin/conntrack usr/bin/kmod usr/bin/ip usr/bin/dash usr/bin/sleep usr/bin/mv \
    $(cd "$rootfs" && ls usr/lib/x86_64-linux-gnu/xtables/*.so); do
    chroot "$rootfs" ldd "/$program" 2>/dev/null | grep -oE '/[^ ]+\.so[^ ]*'
done | sort -u | while read -r library; do
    mkdir -p "$net$(dirname "$library")"
    cp -L "$rootfs$library" "$net$library"
done
cp "$bin/kube-proxy" "$bin/kubectl" "$net/usr/local/bin/"
cp "$here/node/node-routes.sh" "$net/"
image "registry.k8s.io/kube-proxy:v$version" "$net" -c 'ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
docker tag "registry.k8s.io/kube-proxy:v$version" registry.k8s.io/node-net:local
docker save registry.k8s.io/node-net:local -o "$images/node-net.tar"

say "assembling the node"
cp "$bin"/{kubelet,kubeadm,kubectl} "$rootfs/usr/bin/"
install -m 0755 "$here"/node/{entrypoint,kubelet-cgroup-v2} "$rootfs/usr/local/bin/"
install -m 0755 "$here/node/runc-wrapper" "$rootfs/usr/local/sbin/runc-wrapper"
install -D -m 0644 "$here/node/containerd.toml" "$rootfs/etc/containerd/config.toml"
install -m 0644 "$here/node/kubelet.service" "$rootfs/etc/systemd/system/kubelet.service"
mkdir -p "$rootfs/kind/manifests" "$rootfs/etc/kubernetes/manifests" "$rootfs/etc/systemd/journald.conf.d"
install -m 0644 "$here"/node/default-{cni,storage}.yaml "$rootfs/kind/manifests/"
printf 'v%s' "$version" >"$rootfs/kind/version"
printf '[Journal]\nReadKMsg=no\n' >"$rootfs/etc/systemd/journald.conf.d/container.conf"
printf 'runtime-endpoint: unix:///run/containerd/containerd.sock\n' >"$rootfs/etc/crictl.yaml"
ln -sf ../kubelet.service "$rootfs/etc/systemd/system/multi-user.target.wants/kubelet.service"
chroot "$rootfs" systemctl enable containerd.service >/dev/null 2>&1
chroot "$rootfs" systemctl mask systemd-binfmt.service systemd-udevd.service getty.target systemd-logind.service \
    systemd-networkd.service systemd-resolved.service systemd-timesyncd.service >/dev/null 2>&1 || true

tar -C "$rootfs" --exclude=./proc/* --exclude=./sys/* -c . |
    docker import -c 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' -c 'ENV container=docker' - "$tag-base" >/dev/null

# --- preload the images into the node's containerd -------------------------------
say "loading the images into the node"
builder=$(docker run -d --privileged --entrypoint /bin/sleep -v "$images:/images:ro" "$tag-base" infinity)
trap 'docker rm -f "$builder" >/dev/null 2>&1' EXIT
docker exec -d "$builder" containerd
for _ in $(seq 50); do docker exec "$builder" ctr version >/dev/null 2>&1 && break; sleep 0.2; done
for archive in "$images"/*.tar; do
    docker exec "$builder" ctr -n k8s.io images import --no-unpack "/images/$(basename "$archive")" >/dev/null
done
docker exec "$builder" sh -c 'kill $(pidof containerd); sleep 1; rm -rf /run/containerd'
docker commit -c 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' "$builder" "$tag" >/dev/null
say "built $tag"
