"""`afray watch` as a process, while the test plays the operator: what it shows, how it ends, what it survives."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import web
from helpers.afray_commands import Afray
from helpers.api_proxy import ApiProxy, Request
from helpers.job_records import DIGEST, RESULT, attempt, condition, progress, status
from helpers.operator_process import apply_own_crd
from helpers.playing_operator import set_status
from helpers.selection_jobs import make_manifest
from testbed.apiserver import ApiServer, running_api_server
from testbed.kubectl import Kubectl

pytestmark = pytest.mark.apiserver

ACCEPTED = condition("Accepted", "True", "Valid")
NO_QUOTA = condition("QuotaReserved", "False", "Queued", "couldn't assign flavors to pod set gpu: insufficient quota")
ADMITTED = condition("QuotaReserved", "True", "Admitted")
QUEUED = status("Queued", ACCEPTED, NO_QUOTA, attempt=attempt())
RUNNING = status("Running", ACCEPTED, ADMITTED, attempt=attempt(), progress=progress(rate=200, etaSeconds=30))
COMPLETE = status(
    "Succeeded", ACCEPTED, ADMITTED, condition("Complete", "True", "Succeeded"), result=RESULT, progress=None
)


@pytest.fixture
def kubectl(api_server: ApiServer, namespace: str) -> Kubectl:
    """With a job `welds` in the namespace."""
    apply_own_crd(api_server.kubectl)
    api_server.kubectl.create(make_manifest(namespace))
    return api_server.kubectl


@pytest.fixture
def afray(api_server: ApiServer, kubectl: Kubectl, namespace: str) -> Afray:
    return Afray(api_server.kubeconfig, namespace)


def test_a_job_is_followed_from_the_queue_to_its_result(afray: Afray, kubectl: Kubectl, namespace: str) -> None:
    with afray.running("watch", "welds") as watching:
        watching.await_line("not yet seen by the operator")
        set_status(kubectl, namespace, QUEUED)
        watching.await_line(" Queued")
        watching.await_line("QuotaReserved=False (Queued): couldn't assign flavors to pod set gpu: insufficient quota")
        set_status(kubectl, namespace, RUNNING)
        watching.await_line(" Running")
        watching.await_line("QuotaReserved=True (Admitted)")
        set_status(kubectl, namespace, COMPLETE)
        watching.await_line("Complete=True (Succeeded)")
        code, out = watching.end()
    assert code == 0
    facts = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert facts["selectionDigest"] == DIGEST
    assert facts["selected"].startswith("100 of 9,990 rows")
    assert facts["output"].strip() == "s3://plant/out"


def test_the_result_is_pure_data_where_data_is_wanted(afray: Afray, kubectl: Kubectl, namespace: str) -> None:
    set_status(kubectl, namespace, COMPLETE)
    assert afray.ask("watch", "welds")["status"]["result"]["digest"] == DIGEST
    assert afray("watch", "welds", "-o", "name").stdout == "selectionjob.afray.dev/welds\n"


def test_a_failed_job_ends_with_1_and_says_why_and_where_its_log_is(
    afray: Afray, kubectl: Kubectl, namespace: str
) -> None:
    last = {
        "number": 1, "stage": "select", "reason": "PermanentError", "time": "2026-11-25T12:00:00Z",
        "logUri": "s3://plant/out/logs/driver-1.log",
    }  # fmt: skip
    why = "spec.pool.uri: no rows at s3://plant/welds"
    failed = status("Failed", condition("Failed", "True", "PermanentError", why), attempt=attempt(lastFailure=last))
    set_status(kubectl, namespace, failed)
    ended = afray("watch", "welds")
    assert ended.exit_code == 1
    assert ended.stderr.splitlines()[-1] == (
        f"error: welds: Failed=True (PermanentError): {why}. Mend the cause, and create another job on the same "
        "output: it goes on from what is committed. Log: s3://plant/out/logs/driver-1.log. "
        f"Its driver's words: afray logs welds --namespace {namespace}"
    )
    assert json.loads(afray("watch", "welds", "-o", "json").stdout)["status"]["phase"] == "Failed"


def test_a_job_that_waits_for_labels_says_how_to_go_on(afray: Afray, kubectl: Kubectl, namespace: str) -> None:
    waiting = condition("LabelsReady", "False", "AwaitingLabels", "name the labels of 100 rows in spec.labels")
    set_status(kubectl, namespace, status("AwaitingLabels", waiting, result=RESULT))
    ended = afray("watch", "welds")
    assert ended.exit_code == 0
    assert DIGEST in ended.stdout
    assert "s3://plant/out/selection.csv, name the file in spec.labels" in ended.stderr


def test_a_refused_label_file_ends_with_65(afray: Afray, kubectl: Kubectl, namespace: str) -> None:
    refused = condition("LabelsReady", "False", "Rejected", "91 of 100 rows are answered, 95 are needed.")
    set_status(kubectl, namespace, status("AwaitingLabels", refused, result=RESULT))
    ended = afray("watch", "welds")
    assert ended.exit_code == 65
    assert ended.stderr.endswith(
        "error: welds: LabelsReady=False (Rejected): 91 of 100 rows are answered, 95 are needed. "
        "Correct the file, and set `spec.labels` to its new `uri` or `sha256`.\n"
    )


def test_a_job_that_is_not_over_in_time_says_where_it_stands(afray: Afray, kubectl: Kubectl, namespace: str) -> None:
    set_status(kubectl, namespace, QUEUED)
    ended = afray("watch", "welds", "--timeout", "1s")
    assert (ended.exit_code, ended.stdout) == (74, "")
    assert "has not ended after 1 s: Queued, QuotaReserved=False (Queued): couldn't assign" in ended.stderr


def test_a_deleted_job_ends_the_watch(afray: Afray, kubectl: Kubectl, namespace: str) -> None:
    with afray.running("watch", "welds") as watching:
        watching.await_line("not yet seen")
        kubectl("delete", "sj", "welds", "-n", namespace)
        watching.await_line("error: welds was deleted while it was watched")
        assert watching.end() == (66, "")


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Heard by what a test starts: programs in the background of a script ignore it, and all that they start does."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_leaves_the_job_alone(afray: Afray, kubectl: Kubectl, namespace: str) -> None:
    with afray.running("watch", "welds") as watching:
        watching.await_line("not yet seen")
        watching.process.send_signal(signal.SIGINT)
        watching.await_line("note: stopped watching; the job goes on. Again: afray watch welds")
        assert watching.end() == (130, "")
    assert kubectl.get("sj", "welds", namespace)["spec"].get("suspend", False) is False


def test_a_watch_outlives_an_api_server_that_restarts(tmp_path: Path) -> None:
    with running_api_server() as server:
        apply_own_crd(server.kubectl)
        server.kubectl.create(make_manifest("default"))
        with Afray(server.kubeconfig, "default").running("watch", "welds") as watching:
            watching.await_line("not yet seen")
            server.kill()
            watching.await_line("connection lost, trying again")
            server.start_again()
            set_status(server.kubectl, "default", QUEUED)
            watching.await_line("QuotaReserved=False (Queued)")
            set_status(server.kubectl, "default", COMPLETE)
            assert watching.end()[0] == 0


def test_a_watch_outlives_connections_that_break(proxy: ApiProxy, kubectl: Kubectl, namespace: str) -> None:
    with Afray(proxy.kubeconfig, namespace).running("watch", "welds") as watching:
        watching.await_line("not yet seen")
        for number in (1, 2, 3):
            set_status(kubectl, namespace, status("Retrying", attempt=attempt(number + 1)))
            watching.await_line(f"Retrying, attempt {number + 1}")
            proxy.cut()
        set_status(kubectl, namespace, COMPLETE)
        assert watching.end()[0] == 0


def test_after_410_gone_the_present_is_read_anew(proxy: ApiProxy, kubectl: Kubectl, namespace: str) -> None:
    gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}
    asked: list[str] = []

    async def expire_first_watch(request: Request) -> web.StreamResponse | None:
        if "watch=" not in request.query.lower():
            return None
        asked.append(request.query)
        if len(asked) > 1:
            return None
        set_status(kubectl, namespace, COMPLETE)
        return web.Response(text=json.dumps(gone) + "\n", content_type="application/json")

    proxy.before = expire_first_watch
    ended = Afray(proxy.kubeconfig, namespace)("watch", "welds")
    assert ended.exit_code == 0, ended.stderr
    assert "Complete=True (Succeeded)" in ended.stderr
    assert len(asked) == 1


def test_a_terminal_has_a_bar_that_shows_stage_count_rate_and_time_left(
    afray: Afray, kubectl: Kubectl, namespace: str
) -> None:
    set_status(kubectl, namespace, RUNNING)
    shown = on_a_terminal(afray, "watch", "welds", "--timeout", "2s")
    assert "Running: embed" in shown
    assert "4,000/10,000 rows" in shown
    assert "200/s  30 s left" in shown


def on_a_terminal(afray: Afray, *arguments: str) -> str:
    """What a command writes to a terminal on stderr."""
    master, terminal = pty.openpty()
    with afray.running(*arguments, stderr=terminal), io.FileIO(master) as screen:
        os.close(terminal)
        return b"".join(_chunks(screen)).decode()


def _chunks(screen: io.FileIO) -> Iterator[bytes]:
    """Until the last program that writes to it has ended, which Linux reports as an input error."""
    with suppress(OSError):
        while chunk := screen.read(4096):
            yield chunk
