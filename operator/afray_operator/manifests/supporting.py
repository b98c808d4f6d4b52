"""What a driver needs beside its pods: the ConfigMap of its progress, and the right to write that one object."""

from __future__ import annotations

from afray.contract import names
from afray_operator.manifests.merging import Manifest
from afray_operator.manifests.ownership import Owner
from afray_operator.manifests.templates import Templates, write_templates


def progress_config_map(owner: Owner) -> Manifest:
    """Empty: the driver fills it."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": owner.metadata(names.progress_name(owner.name))}


def templates_name(job: str) -> str:
    """Name of the ConfigMap with the accepted pod templates."""
    return f"{job}-templates"


def templates_config_map(owner: Owner, templates: Templates) -> Manifest:
    """The accepted pod templates, out of the driver's reach."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": owner.metadata(templates_name(owner.name)),
        "data": write_templates(templates),
    }


def service_account(owner: Owner) -> Manifest:
    """The account of the pods, where the spec names none."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": owner.metadata(names.account_name(owner.name))}


def role(owner: Owner) -> Manifest:
    """Get and patch of the one ConfigMap."""
    name = names.progress_name(owner.name)
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": owner.metadata(name),
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [name], "verbs": ["get", "patch"]}],
    }


def role_binding(owner: Owner, account: str) -> Manifest:
    """Gives the Role to the account of the pods."""
    name = names.progress_name(owner.name)
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": owner.metadata(name),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": owner.namespace}],
    }
