"""One owner of an output at a time, as real processes see it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from helpers import jobs
from helpers.faults import afray, started, this_session, wait_until
from helpers.jobs import At, FinishedJob, RecordingDisplay
from helpers.owners import owner_elsewhere, owner_ended

from afray.api.digest import spec_digest
from afray.storage.claims import Claim, take
from afray.storage.ownership import Ownership
from afray.storage.store import Store

pytestmark = pytest.mark.ray


def take_over(output: Path, epoch: int) -> None:
    """Be a newer driver of the same job, that has died since."""
    spec = jobs.json_of(output / "owner" / f"{epoch - 1}.json")["spec_digest"]
    claim = Claim(owner=owner_ended(), attempt=0, spec_digest=str(spec), taken="now", nonce=f"by hand {epoch}")
    assert take(Store.open(str(output)), epoch, claim)


def test_a_second_run_on_the_same_output_is_refused_while_the_first_works(
    vector_job: FinishedJob, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    same = jobs.write_manifest(tmp_path / "same.yaml", vector_job.elsewhere(output))
    other_spec = vector_job.elsewhere(output, {"spec.selection.seed": 1})
    other = jobs.write_manifest(tmp_path / "other.yaml", other_spec)
    refusals = []

    def run_others() -> None:
        refusals.extend([afray("run", same), afray("run", other)])

    report = jobs.run(vector_job.elsewhere(output), display=RecordingDisplay([At("select", run_others)]))

    assert [refusal.returncode for refusal in refusals] == [69, 69]
    assert f"pid {os.getpid()}) is working on this output" in refusals[0].stderr
    assert f"pid {os.getpid()}) is working on this output" in refusals[1].stderr
    assert report.selection_digest == vector_job.digest
    # The output stays that of its spec; whoever asks for the same is welcome.
    assert "belongs to another spec" in jobs.refused(other_spec, 69)
    assert afray("run", same).returncode == 0


def test_a_run_says_that_it_waits_for_an_owner_elsewhere_and_goes_on_once_that_lets_go(
    vector_job: FinishedJob, tmp_path: Path
) -> None:
    manifest = vector_job.elsewhere(tmp_path / "out")
    store = Store.open(str(tmp_path / "out"))
    elsewhere = Ownership.acquire(store, owner_elsewhere(), spec_digest(jobs.parse(manifest)))
    display = RecordingDisplay()

    def let_go_once_waited_for() -> None:
        wait_until(lambda: display.was_told("sign of life"), "the note")
        elsewhere.close()

    letting_go = threading.Thread(target=let_go_once_waited_for)
    letting_go.start()
    report = jobs.run(manifest, display=display)
    letting_go.join()
    assert display.was_told("warning: waiting up to 60 s for a sign of life of SelectionJob uid-elsewhere (host node-7")
    assert report.selection_digest == vector_job.digest


def test_a_driver_that_was_overtaken_stops_and_the_next_one_goes_on(vector_job: FinishedJob, tmp_path: Path) -> None:
    output = tmp_path / "out"
    manifest = vector_job.elsewhere(output)
    display = RecordingDisplay([At("embed pool", lambda: take_over(output, 2), done=100)])

    assert "a newer driver took this output over (epoch 2, this one is 1)" in jobs.refused(
        manifest, 75, display=display
    )

    embedded = jobs.commit_epochs(output, "embeddings")
    assert jobs.run(manifest).selection_digest == vector_job.digest
    assert {name: jobs.commit_epochs(output, "embeddings")[name] for name in embedded} == dict.fromkeys(embedded, 1)
    assert jobs.commit_epochs(output, "selection") == {"selection/files": 3, "selection/rows": 3}


def test_an_overtaken_process_leaves_with_75_and_commits_no_selection(vector_job: FinishedJob, tmp_path: Path) -> None:
    output = tmp_path / "out"
    manifest = jobs.write_manifest(tmp_path / "job.yaml", vector_job.elsewhere(output))
    with started("run", manifest, environment=this_session()) as driver:
        wait_until((output / "owner" / "1.json").exists, "the first claim")
        take_over(output, 2)
        _, errors = driver.communicate()
    assert driver.returncode == 75, errors
    assert "a newer driver took this output over" in errors
    assert not jobs.commit_epochs(output, "selection")
    assert not (output / "certificate.json").exists()
