"""What a node's daemons are told, as files in its folder.

The machine may lack CAP_SYS_RESOURCE and systemd, and its cgroups may be version 1: every setting for that is needed.
"""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from testbed.network import GATEWAY, pod_network
from testbed.pki import KeyPair

PAUSE = "localhost/pause:1"
CONTAINERD = """\
version = 2
root = "{folder}/containerd"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true # without CAP_SYS_RESOURCE a score can be raised, never lowered
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  cni = {{bin_dir = "/usr/lib/cni", conf_dir = "{folder}/cni"}}
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"
  runtimes = {{runc = {{runtime_type = "io.containerd.runc.v2", options = {{SystemdCgroup = false}}}}}}
"""


def write_node_files(folder: Path, number: int, authority: Path, pair: KeyPair) -> None:
    """Write the configuration of containerd, of the pods' network and of the kubelet."""
    (folder / "cni").mkdir(parents=True, exist_ok=True)
    (folder / "containerd.toml").write_text(CONTAINERD.format(folder=folder, pause=PAUSE))
    (folder / "cni" / "10-pods.conflist").write_text(json.dumps(_pod_network(number)))
    (folder / "resolv.conf").write_text(f"nameserver {GATEWAY}\n")
    (folder / "kubelet.yaml").write_text(yaml.safe_dump(_kubelet(folder, authority, pair)))


def _pod_network(number: int) -> dict[str, object]:
    """Return a routed cable for each pod: so kube-proxy's rules see also what pods of one node send each other."""
    addresses = {
        "type": "host-local",
        "dataDir": "/run/pod-addresses",
        "ranges": [[{"subnet": pod_network(number)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    plugins = [
        {"type": "ptp", "ipMasq": False, "ipam": addresses},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": plugins}


def _kubelet(folder: Path, authority: Path, pair: KeyPair) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(authority)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pair.certificate),
        "tlsPrivateKeyFile": str(pair.key),
        "clusterDNS": [GATEWAY],
        "clusterDomain": "cluster.local",
        "resolvConf": str(folder / "resolv.conf"),
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "failCgroupV1": False,
        "featureGates": {"KubeletInUserNamespace": True},  # refused settings of the kernel are no error
        "localStorageCapacityIsolation": False,
        "syncFrequency": "5s",  # pods that wait for a Secret to be filled see it soon: Kueue for its certificate
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi"},  # the disk is the machine's
        "volumePluginDir": str(folder / "plugins"),
        "podLogsDir": str(folder / "pod-logs"),
    }
