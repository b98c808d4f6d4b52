#!/bin/bash
# Process 1 of a node: mounts, network, then containerd, kubelet and kube-proxy, until the power goes.
set -eu

# The kubelet and containerd share one tree, and containers see what the kubelet mounts. Nothing of it is seen outside,
# and nothing that daemons write to fixed places gets out of the node.
mount --make-rprivate /
mount --make-rshared /
mount -t tmpfs run /run
mkdir -p "$FOLDER"/{var,var-work,kubelet,containerd}
mount -t overlay var -o "lowerdir=/var,upperdir=$FOLDER/var,workdir=$FOLDER/var-work" /var

# Settings of the kernel belong to the machine, except those of the network, which is the node's own. What the kubelet
# insists on, it finds set.
mount --bind /proc/sys /proc/sys
mount --bind /proc/sys/net /proc/sys/net
mount -o remount,bind,ro /proc/sys
mount -o remount,bind,rw /proc/sys/net
for setting in vm/overcommit_memory=1 kernel/panic=10 kernel/panic_on_oops=1; do
  mkdir -p "$FOLDER/sys/${setting%/*}"
  echo "${setting#*=}" > "$FOLDER/sys/${setting%=*}"
  mount --bind "$FOLDER/sys/${setting%=*}" "/proc/sys/${setting%=*}"
done

# The node's own groups are all that it sees.
for groups in /sys/fs/cgroup/*/; do
  name=$(basename "$groups")
  [ -e "$groups/cgroup.procs" ] && [ "$name" != unified ] || continue
  umount -l "$groups"
  [ "$name" = systemd ] && options=none,name=systemd || options=$name
  mount -t cgroup -o "$options" cgroup "$groups"
done

until ip link show eth0 > /dev/null 2>&1; do sleep 0.05; done
ip link set lo up
ip address add "$ADDRESS/24" dev eth0
ip link set eth0 up
ip route add default via "$GATEWAY"
echo 1 > /proc/sys/net/ipv4/ip_forward

cd "$FOLDER"
containerd --config containerd.toml > containerd.log 2>&1 &
until ctr version > /dev/null 2>&1; do sleep 0.05; done
ctr --namespace k8s.io images import "$PAUSE" > images.log 2>&1
"$KUBELET" --config=kubelet.yaml --kubeconfig=node.kubeconfig --hostname-override="$NODE" --node-ip="$ADDRESS" \
  --root-dir="$FOLDER/kubelet" --cert-dir="$FOLDER/kubelet/pki" > kubelet.log 2>&1 &
# Limits of connection tracking belong to the machine too.
"$KUBE_PROXY" --kubeconfig=proxy.kubeconfig --proxy-mode=iptables --cluster-cidr="$POD_NETWORK" \
  --hostname-override="$NODE" --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 \
  --conntrack-tcp-timeout-close-wait=0 > kube-proxy.log 2>&1 &
wait
