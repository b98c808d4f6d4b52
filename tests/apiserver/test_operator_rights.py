"""What the chart lets the operator do, asked of a real API server in the operator's name: enough, and no more."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml
from helpers.operator_process import apply_own_crd
from helpers.repository import ROOT
from kubernetes import client, config
from testbed.apiserver import ApiServer
from testbed.helm import Helm

pytestmark = pytest.mark.apiserver

RELEASE = "afray-system"
OPERATOR = f"system:serviceaccount:{RELEASE}:afray"
TENANT, OTHERS = "rights-tenant", "rights-others"
ROLES, ROLE_BINDINGS = "roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io"

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
    *[(verb, "events.events.k8s.io") for verb in ("create", "patch")],
]
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
    *[(verb, ROLES) for verb in ("update", "escalate", "bind", "delete")],
    ("impersonate", "serviceaccounts"),
    ("create", "serviceaccounts/token"),
    ("list", "leases.coordination.k8s.io"),
    ("create", "jobs.batch"),
]
FORBIDDEN_ANYWHERE = [
    ("get", "nodes"),
    ("delete", "namespaces"),
    ("patch", "customresourcedefinitions.apiextensions.k8s.io"),
    ("create", "validatingwebhookconfigurations.admissionregistration.k8s.io"),
    ("create", "clusterrolebindings.rbac.authorization.k8s.io"),
]


Ask = Callable[..., bool]


@pytest.fixture(scope="module")
def may(api_server: ApiServer) -> Ask:
    """Asks the API server, in the operator's name, with the chart's rights for one namespace."""
    apply_own_crd(api_server.kubectl)
    for name in (RELEASE, TENANT, OTHERS):
        api_server.kubectl("create", "namespace", name)
    watched = f"--set=watchNamespaces={{{TENANT}}}"
    text = Helm(api_server.kubeconfig)("template", "afray", ROOT / "charts" / "afray", "--namespace", RELEASE, watched)
    kinds = {"ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
    api_server.kubectl.apply(*[part for part in yaml.safe_load_all(text) if part and part["kind"] in kinds])
    connection = config.new_client_from_config(str(api_server.kubeconfig))
    connection.set_default_header("Impersonate-User", OPERATOR)
    reviews = client.AuthorizationV1Api(connection)

    def ask(verb: str, resource: str, namespace: str = TENANT, name: str = "") -> bool:
        kind, _, part = resource.partition("/")
        plural, _, group = kind.partition(".")
        asked = client.V1ResourceAttributes(
            verb=verb, group=group, resource=plural, subresource=part, namespace=namespace, name=name
        )
        spec = client.V1SelfSubjectAccessReviewSpec(resource_attributes=asked)
        answer = reviews.create_self_subject_access_review(client.V1SelfSubjectAccessReview(spec=spec))
        assert answer.status is not None
        return answer.status.allowed

    return ask


def test_it_may_do_what_it_does(may: Ask) -> None:
    assert [asked for asked in NEEDED if not may(*asked)] == []


def test_it_may_not_do_more(may: Ask) -> None:
    assert len(FORBIDDEN) + len(FORBIDDEN_ANYWHERE) >= 20
    assert [asked for asked in FORBIDDEN if may(*asked)] == []
    assert [asked for asked in FORBIDDEN_ANYWHERE if may(*asked, namespace="")] == []


def test_it_may_do_nothing_in_a_namespace_that_it_does_not_watch(may: Ask) -> None:
    assert [asked for asked in NEEDED if may(*asked, namespace=OTHERS)] == []


def test_its_lease_is_the_only_one_that_it_may_change(may: Ask) -> None:
    lease = "leases.coordination.k8s.io"
    assert may("create", lease, RELEASE)
    assert may("update", lease, RELEASE, "afray")
    assert not may("update", lease, RELEASE, "other")
    assert not may("get", lease, RELEASE)
    assert not may("update", lease, TENANT, "afray")
