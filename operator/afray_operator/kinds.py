"""The kinds of objects that the operator reads or writes, as the API server addresses them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from afray.contract import names


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of namespaced object. `group` is "" for the core API."""

    group: str
    version: str
    kind: str
    plural: str

    @property
    def api_version(self) -> str:
        """As in a manifest."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_path(self) -> str:
        """Where the API server lists what this group and version offer."""
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """Where the API server has an object, or all of a namespace, or all there are."""
        within = f"/namespaces/{namespace}" if namespace else ""
        return f"{self.group_path}{within}/{self.plural}" + (f"/{name}" if name else "")


SELECTION_JOB: Final = Kind(group=names.GROUP, version=names.VERSION, kind="SelectionJob", plural=names.PLURAL)
RAY_JOB: Final = Kind(group="ray.io", version="v1", kind="RayJob", plural="rayjobs")
RAY_CLUSTER: Final = Kind(group="ray.io", version="v1", kind="RayCluster", plural="rayclusters")
WORKLOAD: Final = Kind(group="kueue.x-k8s.io", version="v1beta2", kind="Workload", plural="workloads")
POD: Final = Kind(group="", version="v1", kind="Pod", plural="pods")
CONFIG_MAP: Final = Kind(group="", version="v1", kind="ConfigMap", plural="configmaps")
SERVICE_ACCOUNT: Final = Kind(group="", version="v1", kind="ServiceAccount", plural="serviceaccounts")
ROLE: Final = Kind(group="rbac.authorization.k8s.io", version="v1", kind="Role", plural="roles")
ROLE_BINDING: Final = Kind(group="rbac.authorization.k8s.io", version="v1", kind="RoleBinding", plural="rolebindings")
LEASE: Final = Kind(group="coordination.k8s.io", version="v1", kind="Lease", plural="leases")
EVENT: Final = Kind(group="events.k8s.io", version="v1", kind="Event", plural="events")

WATCHED: Final = (SELECTION_JOB, RAY_JOB, RAY_CLUSTER, POD, CONFIG_MAP, WORKLOAD)
"""What may change a decision."""
LABELLED: Final = frozenset({RAY_JOB, RAY_CLUSTER, POD, CONFIG_MAP})
"""Of these only objects with our job label are read; a Workload is found by its owner."""
OPTIONAL: Final = frozenset({RAY_JOB, RAY_CLUSTER, WORKLOAD})
"""May be missing in a cluster; the operator says so where it matters."""
