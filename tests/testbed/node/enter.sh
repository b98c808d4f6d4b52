#!/bin/bash
# Outside of the node: into cgroups of its own, then into namespaces of its own. What remains is one process whose end is
# a loss of power: it takes the pid namespace along, and with it containerd, the kubelet and every pod.
set -eu
for groups in /sys/fs/cgroup/*/; do
  [ -e "$groups/cgroup.procs" ] || continue
  place=$groups
  for part in "$INSTANCE" "$NODE"; do
    mkdir -p "$place/$part"
    if [ -e "$place/$part/cpuset.cpus" ]; then  # an empty set takes no process
      cat "$place/cpuset.cpus" > "$place/$part/cpuset.cpus"
      cat "$place/cpuset.mems" > "$place/$part/cpuset.mems"
    fi
    place=$place/$part
  done
  echo $$ > "$place/cgroup.procs"
done
exec unshare --net --mount --pid --cgroup --fork --kill-child --mount-proc bash "$(dirname "$0")/boot.sh"
