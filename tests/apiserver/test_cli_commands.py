"""`afray submit`, `get`, `suspend`, `resume` and `delete` against a real API server with our CRD."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from helpers.afray_commands import Afray
from helpers.job_records import RESULT, attempt, condition, status
from helpers.operator_process import apply_own_crd
from helpers.playing_operator import set_status
from helpers.repository import ROOT
from helpers.selection_jobs import make_manifest
from testbed.apiserver import ApiServer
from testbed.gomodules import program

pytestmark = pytest.mark.apiserver


@pytest.fixture
def afray(api_server: ApiServer, namespace: str) -> Afray:
    apply_own_crd(api_server.kubectl)
    return Afray(api_server.kubeconfig, namespace)


def write(folder: Path, namespace: str, **blocks: object) -> str:
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump(make_manifest(namespace, **blocks)))  # type: ignore[arg-type]
    return str(path)


def test_submit_creates_the_job_and_says_how_to_follow_it(
    afray: Afray, api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    ended = afray("submit", write(tmp_path, namespace))
    assert (ended.exit_code, ended.stdout) == (0, f"welds: created in namespace {namespace}, queue team-a\n")
    assert f"afray watch welds --namespace {namespace}" in ended.stderr
    stored = api_server.kubectl.get("sj", "welds", namespace)
    assert stored["spec"]["selection"]["budget"] == {"count": 100}
    assert [entry["manager"] for entry in stored["metadata"].get("managedFields", [])] in ([], ["afray"])


def test_a_queue_of_the_option_wins_over_that_of_the_manifest(afray: Afray, namespace: str, tmp_path: Path) -> None:
    created = afray.ask("submit", write(tmp_path, namespace), "--queue", "team-b")
    assert created["metadata"]["labels"] == {"kueue.x-k8s.io/queue-name": "team-b"}
    assert "managedFields" not in created["metadata"]


def test_a_dry_run_keeps_nothing(afray: Afray, namespace: str, tmp_path: Path) -> None:
    ended = afray("submit", write(tmp_path, namespace), "--dry-run")
    assert (ended.exit_code, ended.stdout) == (0, f"welds: would be created in namespace {namespace}, queue team-a\n")
    assert afray("get", "welds").exit_code == 66


def test_a_wrong_manifest_is_refused_before_anybody_is_asked(afray: Afray, namespace: str, tmp_path: Path) -> None:
    wrong = write(tmp_path, namespace, output={"uri": "out"}, selection={"budget": {"count": 10}, "core": {"size": 11}})
    nobody = Afray(tmp_path / "no-kubeconfig", namespace)
    for asked in (afray, nobody):
        ended = asked("submit", wrong)
        assert (ended.exit_code, ended.stdout) == (64, "")
        assert "spec.output.uri" in ended.stderr
        assert "spec.selection.core.size" in ended.stderr
    told = json.loads(afray("submit", wrong, "-o", "json").stdout)
    assert [problem["field"] for problem in told["problems"]] == ["spec.output.uri", "spec.selection.core.size"]


def test_a_name_that_is_taken_says_what_to_do(afray: Afray, namespace: str, tmp_path: Path) -> None:
    assert afray("submit", write(tmp_path, namespace)).exit_code == 0
    same = afray("submit", write(tmp_path, namespace))
    assert (same.exit_code, same.stdout) == (69, "")
    assert "with the same spec. Follow it: afray watch welds" in same.stderr
    other = afray("submit", write(tmp_path, namespace, selection={"budget": {"count": 7}}))
    assert other.exit_code == 69
    assert "afray delete welds --wait" in other.stderr


def test_a_namespace_that_is_not_there_is_named(afray: Afray, tmp_path: Path) -> None:
    lost = Afray(afray.kubeconfig, "nowhere")
    ended = lost("submit", write(tmp_path, "nowhere"))
    assert ended.exit_code == 66
    assert "error: there is no namespace 'nowhere'" in ended.stderr


def test_get_shows_the_columns_of_kubectl(afray: Afray, api_server: ApiServer, namespace: str, tmp_path: Path) -> None:
    assert afray("submit", write(tmp_path, namespace)).exit_code == 0
    set_status(api_server.kubectl, namespace, status("Running", condition("Accepted", "True", "Valid")))
    for arguments in ([], ["welds"], ["-o", "wide"], ["-l", "kueue.x-k8s.io/queue-name=team-a"]):
        ours = afray("get", *arguments).stdout.split()
        theirs = api_server.kubectl("get", "sj", "-n", namespace, *arguments).split()
        assert without_age(ours) == without_age(theirs)
        assert "welds" in ours


def without_age(words: list[str]) -> list[str]:
    """Seconds pass between two commands."""
    return [word for word in words if not word.rstrip("s").isdecimal()]


def test_get_lists_as_data_and_by_name(afray: Afray, api_server: ApiServer, namespace: str, tmp_path: Path) -> None:
    for name in ("b", "a"):
        api_server.kubectl.create(make_manifest(namespace, name))
    listed = afray.ask("get")
    assert listed["kind"] == "SelectionJobList"
    assert [item["metadata"]["name"] for item in listed["items"]] == ["a", "b"]
    assert yaml.safe_load(afray("get", "a", "-o", "yaml").stdout) == afray.ask("get", "a")
    assert afray("get", "-o", "name").stdout == "selectionjob.afray.dev/a\nselectionjob.afray.dev/b\n"
    assert afray("get", "-l", "kueue.x-k8s.io/queue-name=other", "-o", "name").stdout.strip() == ""
    assert namespace in afray("get", "--all-namespaces").stdout


def test_many_jobs_come_page_by_page(afray: Afray, api_server: ApiServer, namespace: str) -> None:
    api_server.kubectl.create(*(make_manifest(namespace, f"job-{number}") for number in range(501)))
    table = afray("get").stdout.splitlines()
    assert (len(table), table[0].split()[0], table[-1].split()[0]) == (502, "NAME", "job-99")
    assert len(afray.ask("get")["items"]) == 501


def test_no_jobs_are_no_data(afray: Afray, namespace: str) -> None:
    ended = afray("get")
    assert (ended.exit_code, ended.stdout) == (0, "")
    assert f"no SelectionJobs in namespace '{namespace}'" in ended.stderr
    assert afray.ask("get")["items"] == []


def test_a_job_that_is_not_there_is_one_line_with_the_next_step(afray: Afray, namespace: str) -> None:
    for command in ("get", "watch", "logs", "suspend", "resume", "delete"):
        ended = afray(command, "welds")
        assert (ended.exit_code, ended.stdout) == (66, ""), command
        assert ended.stderr == (
            f"error: there is no SelectionJob 'welds' in namespace '{namespace}'. See which there are: "
            "afray get --all-namespaces\n"
        )


def test_suspend_and_resume_change_one_field(
    afray: Afray, api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    assert afray("submit", write(tmp_path, namespace)).exit_code == 0
    before = api_server.kubectl.get("sj", "welds", namespace)["spec"]
    assert afray("suspend", "welds").stdout == "welds: suspended; its pods are being stopped\n"
    assert api_server.kubectl.get("sj", "welds", namespace)["spec"] == {**before, "suspend": True}
    assert afray("suspend", "welds").stdout == "welds: is suspended already\n"
    assert afray.ask("resume", "welds")["spec"]["suspend"] is False
    assert afray("resume", "welds").stdout == "welds: is not suspended\n"


def test_suspending_what_has_ended_says_that_it_changes_nothing(
    afray: Afray, api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    assert afray("submit", write(tmp_path, namespace)).exit_code == 0
    done = status("Succeeded", condition("Complete", "True", "Succeeded"), result=RESULT, attempt=attempt())
    set_status(api_server.kubectl, namespace, done)
    ended = afray("suspend", "welds")
    assert ended.exit_code == 0
    assert "welds has ended (Succeeded): this changes nothing any more" in ended.stderr


def test_delete_says_that_results_stay(afray: Afray, namespace: str, tmp_path: Path) -> None:
    assert afray("submit", write(tmp_path, namespace)).exit_code == 0
    ended = afray("delete", "welds")
    assert (ended.exit_code, ended.stdout) == (0, "welds: is being deleted\n")
    assert "what it stored stays: s3://plant/out" in ended.stderr
    assert afray("get", "welds").exit_code == 66


def test_delete_waits_for_what_the_job_owns(
    afray: Afray, api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    # There is no garbage collector: the test plays it.
    assert afray("submit", write(tmp_path, namespace)).exit_code == 0
    ended = afray("delete", "welds", "--wait", "--timeout", "1s")
    assert ended.exit_code == 74
    assert "kubectl get pods -l afray.dev/job=welds" in ended.stderr
    with afray.running("delete", "welds", "--wait") as deleting:
        deleting.await_line("waits until the pods of welds are gone")
        api_server.kubectl(
            "patch", "sj", "welds", "-n", namespace, "--type=merge", "-p", '{"metadata": {"finalizers": null}}'
        )
        assert deleting.end() == (0, "welds: deleted\n")


def test_kubectl_finds_the_plugin(afray: Afray, namespace: str, tmp_path: Path) -> None:
    plugin = tmp_path / "bin" / "kubectl-afray"
    plugin.parent.mkdir()
    code = "from afray.cli.kubectl import main; main()"
    plugin.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -c "{code}" "$@"\n')
    plugin.chmod(0o755)
    path = {"PATH": f"{plugin.parent}{os.pathsep}{os.environ['PATH']}", "KUBECONFIG": str(afray.kubeconfig)}
    ended = run_kubectl(path, "afray", "get", "--namespace", namespace, "-o", "json")
    assert json.loads(ended)["items"] == []
    assert "kubectl afray [OPTIONS] COMMAND" in run_kubectl(path, "afray", "--help")


def run_kubectl(environment: dict[str, str], *arguments: str) -> str:
    command = [str(program("kubectl")), *arguments]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True).stdout
