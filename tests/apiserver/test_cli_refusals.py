"""What commands say without a CRD, a permission, credentials or a server: one line, and a code of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from helpers.afray_commands import Afray
from helpers.driver_traces import leave_log
from helpers.job_records import attempt, status
from helpers.operator_process import apply_own_crd
from helpers.playing_operator import set_status
from helpers.selection_jobs import make_manifest
from testbed.apiserver import ApiServer, running_api_server

from afray.storage.store import Store

pytestmark = pytest.mark.apiserver

COMMANDS = ("get", "watch", "logs", "suspend", "resume", "delete")


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    """A server of our own: it knows no SelectionJobs at first, and ann may do nothing."""
    with running_api_server(users={"ann": []}) as running:
        yield running


@pytest.fixture(scope="module")
def prepared(server: ApiServer) -> ApiServer:
    """The server with our CRD and a job."""
    apply_own_crd(server.kubectl)
    server.kubectl.create(make_manifest("default"))
    return server


def one_line(text: str) -> str:
    (line,) = text.splitlines()
    return line


@pytest.mark.parametrize("command", COMMANDS)
def test_without_the_crd_the_chart_is_asked_for(server: ApiServer, command: str) -> None:
    ended = Afray(server.kubeconfig, "default")(command, "welds")
    assert (ended.exit_code, ended.stdout) == (67, "")
    line = one_line(ended.stderr)
    assert line.startswith(
        f"error: https://127.0.0.1:{server.port.number} (context testbed) does not know SelectionJobs"
    )
    assert "Install the chart" in line


def test_without_the_crd_nothing_is_submitted(server: ApiServer, tmp_path: Path) -> None:
    manifest = tmp_path / "job.yaml"
    manifest.write_text(yaml.safe_dump(make_manifest("default")))
    ended = Afray(server.kubeconfig, "default")("submit", str(manifest))
    assert (ended.exit_code, ended.stdout) == (67, "")
    assert "Install the chart" in one_line(ended.stderr)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_permission_is_named_with_verb_and_resource(prepared: ApiServer, command: str) -> None:
    ended = Afray(prepared.kubeconfig_of("ann"), "default")(command, "welds")
    assert (ended.exit_code, ended.stdout) == (66, "")
    line = one_line(ended.stderr)
    assert 'User "ann" cannot get resource "selectionjobs"' in line
    assert "Needed: the verb get on selectionjobs in namespace 'default'; ask whoever runs the cluster" in line


def test_what_a_reader_may_not_do_is_named_too(prepared: ApiServer, tmp_path: Path) -> None:
    allow(prepared, "reader", "get,list", "selectionjobs.afray.dev")
    ann = Afray(prepared.kubeconfig_of("ann"), "default")
    assert ann("get").exit_code == 0
    manifest = tmp_path / "job.yaml"
    manifest.write_text(yaml.safe_dump(make_manifest("default", "other")))
    refused = {
        "create": ann("submit", str(manifest)),
        "watch": ann("watch", "welds"),
        "patch": ann("suspend", "welds"),
        "delete": ann("delete", "welds"),
    }
    for verb, ended in refused.items():
        assert ended.exit_code == 66, verb
        assert f"the verb {verb} on selectionjobs" in ended.stderr.splitlines()[-1]
    elsewhere = ann("get", "--all-namespaces")
    assert "the verb list on selectionjobs in all namespaces" in one_line(elsewhere.stderr)


def test_who_may_not_see_pods_reads_the_stored_log(prepared: ApiServer, tmp_path: Path) -> None:
    allow(prepared, "lister", "get", "selectionjobs.afray.dev")
    output = Store.open(str(tmp_path / "out"))
    prepared.kubectl.create(make_manifest("default", "stored", output={"uri": output.uri}))
    uid = prepared.kubectl.get("sj", "stored")["metadata"]["uid"]
    leave_log(output, "as stored", uid=uid)
    set_status(prepared.kubectl, "default", status("Running", attempt=attempt()), "stored")
    ended = Afray(prepared.kubeconfig_of("ann"), "default")("logs", "stored")
    assert ended.exit_code == 0
    assert ended.stdout.endswith("as stored\n")
    assert "note: no log from a pod: " in ended.stderr
    assert "the verb list on pods" in ended.stderr


def test_expired_credentials_ask_for_a_login(prepared: ApiServer, tmp_path: Path) -> None:
    ended = Afray(altered(prepared, tmp_path, user={"token": "expired"}), "default")("get")
    assert (ended.exit_code, ended.stdout) == (67, "")
    assert "refuses these credentials: expired or unknown. Log in again" in one_line(ended.stderr)


def test_a_certificate_that_nobody_trusts_is_told(prepared: ApiServer, tmp_path: Path) -> None:
    address = f"https://127.0.0.1:{prepared.port.number}"
    ended = Afray(altered(prepared, tmp_path, cluster={"server": address}), "default")("get")
    assert ended.exit_code == 67
    assert "no secure connection" in one_line(ended.stderr)


def test_a_server_that_does_not_answer_is_worth_another_try(prepared: ApiServer, tmp_path: Path) -> None:
    nobody = altered(prepared, tmp_path, cluster={"server": "http://127.0.0.1:1"})
    for command in COMMANDS:
        ended = Afray(nobody, "default")(command, "welds")
        assert (ended.exit_code, ended.stdout) == (74, ""), command
        line = one_line(ended.stderr)
        assert "http://127.0.0.1:1 (context testbed) does not answer" in line
        assert "Connection refused" in line


def allow(server: ApiServer, name: str, verbs: str, resource: str) -> None:
    """Let ann do something in the namespace default."""
    server.kubectl("create", "role", name, f"--verb={verbs}", f"--resource={resource}")
    server.kubectl("create", "rolebinding", name, f"--role={name}", "--user=ann")


def altered(server: ApiServer, folder: Path, **changes: dict[str, str]) -> Path:
    """The administrator's kubeconfig with another user or cluster."""
    content = yaml.safe_load(server.kubeconfig.read_text())
    for part, value in changes.items():
        content[f"{part}s"][0][part] = value
    path = folder / "altered.kubeconfig"
    path.write_text(yaml.safe_dump(content))
    return path
