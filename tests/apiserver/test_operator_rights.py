"""What the chart lets the operator do, asked of a real API server in the operator's name: enough, and no more."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import yaml
from afray_operator.standing import CLAIM
from helpers.operator_process import apply_own_crd
from helpers.repository import ROOT
from helpers.rights import Rights, reviews_of
from testbed.apiserver import ApiServer
from testbed.helm import Helm

pytestmark = pytest.mark.apiserver

TENANT, OTHERS = "rights-tenant", "rights-others"
VALUES = {"rights-by-role": [f"--set=watchNamespaces={{{TENANT}}}"], "rights-by-cluster-role": []}
"""Of the chart, by the namespace of a release: Roles where it is told to watch, or its defaults."""
ROLES, ROLE_BINDINGS = "roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io"
LEASES = "leases.coordination.k8s.io"
NAMESPACES, CRDS = "namespaces", "customresourcedefinitions.apiextensions.k8s.io"

NEEDED = [
    *[(verb, "selectionjobs.afray.dev") for verb in ("get", "list", "watch", "delete")],
    ("patch", "selectionjobs.afray.dev/status"),
    ("update", "selectionjobs.afray.dev/finalizers"),
    *[(verb, "rayjobs.ray.io") for verb in ("get", "list", "watch", "create", "delete")],
    *[(verb, "rayclusters.ray.io") for verb in ("get", "list", "watch")],
    *[(verb, "workloads.kueue.x-k8s.io") for verb in ("get", "list", "watch")],
    *[(verb, "pods") for verb in ("get", "list", "watch")],
    *[(verb, "configmaps") for verb in ("get", "list", "watch", "create", "patch")],
    *[(verb, kind) for kind in ("serviceaccounts", ROLES, ROLE_BINDINGS) for verb in ("get", "create")],
    *[("create", kind) for kind in ("events.events.k8s.io", LEASES)],
]
NEEDED_EVERYWHERE = [(verb, kind) for kind in (NAMESPACES, CRDS) for verb in ("list", "watch")]
"""By a ClusterRole alone: to see namespaces and kinds come and go."""
FORBIDDEN = [
    *[(verb, "secrets") for verb in ("get", "list", "watch", "create", "delete")],
    ("create", "pods/exec"),
    ("get", "pods/log"),
    *[(verb, "pods") for verb in ("create", "delete", "patch")],
    *[(verb, "selectionjobs.afray.dev") for verb in ("create", "update", "patch")],
    *[(verb, "rayjobs.ray.io") for verb in ("update", "patch")],
    *[(verb, "rayclusters.ray.io") for verb in ("create", "delete")],
    ("patch", "workloads.kueue.x-k8s.io"),
    ("delete", "configmaps"),
    *[(verb, "events.events.k8s.io") for verb in ("list", "patch", "delete")],
    *[(verb, ROLES) for verb in ("update", "escalate", "bind", "delete")],
    ("impersonate", "serviceaccounts"),
    ("create", "serviceaccounts/token"),
    *[(verb, LEASES) for verb in ("get", "list", "update", "patch", "delete")],
    ("create", "jobs.batch"),
]
FORBIDDEN_ANYWHERE = [
    ("get", "nodes"),
    *[(verb, NAMESPACES) for verb in ("create", "delete")],
    *[(verb, CRDS) for verb in ("create", "patch")],
    ("create", "validatingwebhookconfigurations.admissionregistration.k8s.io"),
    ("create", "clusterrolebindings.rbac.authorization.k8s.io"),
]


@dataclass(frozen=True, slots=True)
class OperatorRights(Rights):
    """Those of a release's operator."""

    release: str

    @property
    def are_everywhere(self) -> bool:
        """Whether a ClusterRole gives them."""
        return not VALUES[self.release]


@pytest.fixture(scope="module")
def tenants(api_server: ApiServer) -> None:
    apply_own_crd(api_server.kubectl)
    for name in (TENANT, OTHERS):
        api_server.kubectl("create", "namespace", name)


@pytest.fixture(scope="module", params=list(VALUES))
def rights(api_server: ApiServer, tenants: None, request: pytest.FixtureRequest) -> OperatorRights:
    """Those that the chart gives."""
    release = request.param
    api_server.kubectl("create", "namespace", release)
    chart = ROOT / "charts" / "afray"
    text = Helm(api_server.kubeconfig)("template", "afray", chart, "--namespace", release, *VALUES[release])
    kinds = {"ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
    api_server.kubectl.apply(*[part for part in yaml.safe_load_all(text) if part and part["kind"] in kinds])
    reviews = reviews_of(api_server.kubeconfig, f"system:serviceaccount:{release}:afray")
    return OperatorRights(reviews, TENANT, release)


def test_it_may_do_what_it_does(rights: OperatorRights) -> None:
    assert rights.allowed(NEEDED) == NEEDED
    assert rights.allowed(NEEDED_EVERYWHERE, namespace="") == (NEEDED_EVERYWHERE if rights.are_everywhere else [])


def test_it_may_not_do_more(rights: OperatorRights) -> None:
    assert len(FORBIDDEN) + len(FORBIDDEN_ANYWHERE) >= 20
    assert rights.allowed(FORBIDDEN) == []
    assert rights.allowed(FORBIDDEN, namespace="") == []
    assert rights.allowed(FORBIDDEN_ANYWHERE, namespace="") == []


def test_it_may_do_nothing_in_a_namespace_that_it_does_not_watch(rights: OperatorRights) -> None:
    assert rights.allowed(NEEDED, namespace=OTHERS) == (NEEDED if rights.are_everywhere else [])


def test_it_may_change_its_own_lease_and_claims_and_no_other(rights: OperatorRights) -> None:
    home = rights.release
    assert rights.allow("create", LEASES, home)
    assert not rights.allow("get", LEASES, home)
    for verb in ("get", "update"):
        assert rights.allow(verb, LEASES, home, "afray")
        assert rights.allow(verb, LEASES, TENANT, CLAIM)
        assert rights.allow(verb, LEASES, OTHERS, CLAIM) == rights.are_everywhere
        assert not rights.allow(verb, LEASES, home, "other")
        assert not rights.allow(verb, LEASES, TENANT, "afray")
