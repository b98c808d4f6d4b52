"""The kinds of objects that the operator reads or writes, as the API server addresses them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kubernetes.aio.dynamic.resource import Resource

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

    def resource(self) -> Resource:
        """The kind as the dynamic client takes it, without asking the server for it."""
        return Resource(
            prefix="apis" if self.group else "api",
            group=self.group,
            api_version=self.version,
            kind=self.kind,
            namespaced=True,
            name=self.plural,
        )


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
