"""The way to a cluster: kubeconfig, context, namespace, the account of a pod; and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import certifi
import pytest
import yaml
from kubernetes.config import incluster_config

from afray.client.connecting import connect
from afray.errors import EnvironmentFault


def kubeconfig(folder: Path, user: dict[str, object] | None = None, *, current: str | None = "plant") -> Path:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.test:6443"}} for name in ("plant", "lab")],
        "users": [{"name": "ann", "user": user or {"token": "secret-token"}}],
        "contexts": [
            {"name": "plant", "context": {"cluster": "plant", "user": "ann", "namespace": "inspection"}},
            {"name": "lab", "context": {"cluster": "lab", "user": "ann"}},
        ],
        **({"current-context": current} if current else {}),
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(autouse=True)
def no_cluster_of_our_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(variable, raising=False)


def test_the_current_context_says_server_and_namespace(tmp_path: Path) -> None:
    cluster = connect(kubeconfig(tmp_path))
    assert (cluster.namespace, cluster.title) == ("inspection", "https://plant.test:6443 (context plant)")
    assert cluster.client.configuration.host == "https://plant.test:6443"
    assert cluster.client.user_agent.startswith("afray/")


def test_a_context_and_a_namespace_can_be_chosen(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path)
    assert connect(file, context="lab").title == "https://lab.test:6443 (context lab)"
    assert connect(file, context="lab").namespace == "default"
    assert connect(file, namespace="other").namespace == "other"


def test_several_files_are_merged_as_kubectl_merges_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/absent:{kubeconfig(tmp_path)}")
    assert connect(context="lab").title == "https://lab.test:6443 (context lab)"


def test_the_account_of_the_pod_is_used_where_there_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("pod-token")
    (tmp_path / "namespace").write_text("inspection\n")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", certifi.where())
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    cluster = connect()
    assert (cluster.namespace, cluster.title) == ("inspection", "the cluster of this pod")


@pytest.mark.parametrize(
    ("current", "context", "said"),
    [("plant", "nowhere", "nowhere"), (None, None, "current-context"), ("gone", None, "gone")],
)
def test_a_context_that_is_not_there_is_named(
    tmp_path: Path, current: str | None, context: str | None, said: str
) -> None:
    with pytest.raises(EnvironmentFault, match=rf"kubeconfig.*{said}.*--context"):
        connect(kubeconfig(tmp_path, current=current), context=context)


def test_no_configuration_says_where_it_was_looked_for() -> None:
    with pytest.raises(EnvironmentFault, match=r"no cluster to talk to: ~/\.kube/config.*Check --kubeconfig"):
        connect()


def test_a_broken_file_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("clusters: [")
    with pytest.raises(EnvironmentFault) as caught:
        connect(path)
    assert "\n" not in str(caught.value)


def test_a_login_command_that_fails_is_named_with_what_it_said(tmp_path: Path) -> None:
    command = {"apiVersion": "client.authentication.k8s.io/v1", "command": "false", "interactiveMode": "Never"}
    with pytest.raises(EnvironmentFault, match=r"login of .*kubeconfig failed: .*Log in again"):
        connect(kubeconfig(tmp_path, {"exec": command}))
