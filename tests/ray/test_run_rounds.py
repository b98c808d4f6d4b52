"""Rounds: labels that came back choose the next rows; vectors are taken over, and every round names the one before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import jobs, rounds
from helpers.jobs import FinishedJob, Manifest, RecordingDisplay
from helpers.labelled import blobs
from helpers.lost_workers import run_losing_workers
from helpers.pools import parquet_bytes, vector_column

from afray.driver.verifying import verify
from afray.driver.workspace import RunSettings
from afray.storage.commits import committed
from afray.storage.store import Store

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def second(vector_job: FinishedJob, tmp_path_factory: pytest.TempPathFactory) -> FinishedJob:
    """A second round that nothing disturbed."""
    folder = tmp_path_factory.mktemp("second")
    labels = rounds.answer(vector_job.output, folder / "labels.csv")
    manifest = rounds.next_round(vector_job.manifest, folder / "out", labels)
    return FinishedJob(manifest=manifest, report=jobs.run(manifest, workers=2))


def differences(output: Path) -> Iterator[str]:
    checks = verify(str(output), RunSettings(workers=1), RecordingDisplay())
    return (str(check) for check in checks if not check.holds)


def labels_of(made: Manifest) -> Path:
    return Path(jobs.parse(made).spec.previous.labels.uri.removeprefix("file://"))  # type: ignore[union-attr]


def reused(output: Path) -> list[tuple[object, object]]:
    """Per part, rows in all and rows that were taken over."""
    store = Store.open(str(output))
    parts = [committed(store, name) for name in jobs.commit_epochs(output, "embeddings")]
    return [(part.facts["rows"], part.facts.get("reused", 0)) for part in parts if part]


def test_a_round_pays_for_new_rows_and_embeds_none_again(vector_job: FinishedJob, second: FinishedJob) -> None:
    before, now = set(rounds.selected(vector_job.output)), rounds.selected(second.output)
    assert len(set(now)) == 20
    assert not before & set(now)
    assert reused(second.output) == [(100, 100)] * 6
    assert jobs.vectors_of(second.output) == jobs.vectors_of(vector_job.output)


def test_a_certificate_names_the_round_before_and_verify_walks_there(
    vector_job: FinishedJob, second: FinishedJob
) -> None:
    certificate = jobs.json_of(second.output / "certificate.json")
    previous = certificate["previous"]
    assert isinstance(previous, dict)
    assert previous["certificate"] == jobs.sha256_of(vector_job.output / "certificate.json")
    assert previous["labels"] == jobs.sha256_of(labels_of(second.manifest))
    assert previous["answered"] == 60
    assert previous["model"]
    found = list(verify(str(second.output), RunSettings(workers=1), RecordingDisplay()))
    assert all(check.holds for check in found)
    names = [check.what for check in found]
    assert str(vector_job.output / "certificate.json") in "\n".join(names)
    assert names[-1] == "selection"


def test_the_report_of_a_round_says_where_it_is_uncertain_and_what_labels_were_worth(
    vector_job: FinishedJob, second: FinishedJob
) -> None:
    told = second.report.round
    assert told is not None
    assert vector_job.report.round is None
    assert "round" not in jobs.json_of(vector_job.output / "report.json")
    assert told.uncertainty is not None
    assert told.uncertainty.drawn == 600 - 60 - 20
    assert told.uncertainty.picked_mean > told.uncertainty.open_mean
    assert told.uncertainty.levels.count(-1) == 60
    assert sum(one.picks for one in told.predicted) == 20
    assert sum(one.labels for one in told.predicted) == 60
    assert [(one.round, one.total) for one in told.accuracy] == [(1, 60)]
    assert 'id="round"' in (second.output / "report.html").read_text()


def test_workers_and_shards_do_not_change_the_rows_of_a_round(
    vector_job: FinishedJob, second: FinishedJob, tmp_path: Path
) -> None:
    again = second.elsewhere(tmp_path / "out", {"spec.embedding.shardSize": 77})
    assert jobs.run(again, workers=1).selection_digest == second.digest
    assert [total for total, _ in reused(tmp_path / "out")] == [77] * 7 + [61]


def test_a_third_round_knows_the_labels_of_both_before(second: FinishedJob, tmp_path: Path) -> None:
    labels = rounds.answer(second.output, tmp_path / "labels.csv")
    third = rounds.next_round(second.manifest, tmp_path / "out", labels)
    jobs.run(third)
    previous = jobs.json_of(tmp_path / "out" / "certificate.json")["previous"]
    assert isinstance(previous, dict)
    assert previous["answered"] == 80
    assert list(differences(tmp_path / "out")) == []


@pytest.mark.parametrize("method", ["bilaf", "kmeans"])
def test_other_methods_go_on_from_labelled_rows_too(vector_job: FinishedJob, method: str, tmp_path: Path) -> None:
    labels = rounds.answer(vector_job.output, tmp_path / "labels.csv")
    jobs.run(rounds.next_round(vector_job.manifest, tmp_path / "out", labels, method=method))
    assert not set(rounds.selected(vector_job.output)) & set(rounds.selected(tmp_path / "out"))
    assert len(rounds.selected(tmp_path / "out")) == 20
    assert list(differences(tmp_path / "out")) == []


def test_a_pool_that_grew_keeps_its_vectors_and_another_pool_is_refused(tmp_path: Path) -> None:
    pool = jobs.write_embeddings(tmp_path / "pool")
    first = jobs.embeddings_manifest(pool, tmp_path / "one")
    jobs.run(first)
    labels = rounds.answer(tmp_path / "one", tmp_path / "labels.csv")
    more = blobs(50, classes=6, noise=0.8, seed=5).vectors
    ids = [f"row-{number:05d}-b" for number in range(50)]
    (pool / "more.parquet").write_bytes(parquet_bytes({"id": ids, "embedding": vector_column(more)}))
    jobs.run(rounds.next_round(first, tmp_path / "two", labels))
    assert sum(int(str(taken)) for _, taken in reused(tmp_path / "two")) == 600
    before, now = jobs.vectors_of(tmp_path / "one"), jobs.vectors_of(tmp_path / "two")
    assert {row_id: now[row_id] for row_id in before} == before
    assert len(now) == 650
    assert list(differences(tmp_path / "two")) == []

    (pool / "vectors.parquet").unlink()
    said = jobs.refused(rounds.next_round(first, tmp_path / "three", labels), 64)
    assert "'row-00000' of the round before is gone" in said
    for name in ("one", "two"):
        index = jobs.json_of(tmp_path / name / "certificate.json")["index"]
        assert isinstance(index, dict)
        assert (str(index["digest"]) in said) == (name == "one")


def test_one_class_falls_back_to_coverage_and_says_so(vector_job: FinishedJob, tmp_path: Path) -> None:
    labels = jobs.write_labels(tmp_path / "l.csv", dict.fromkeys(rounds.selected(vector_job.output), "weld"))
    display = RecordingDisplay()
    jobs.run(rounds.next_round(vector_job.manifest, tmp_path / "out", labels), display=display)
    assert display.was_told("all 60 labels are of one class (weld)")
    assert sum("labels are of one class" in note for note in display.notes) == 1
    previous = jobs.json_of(tmp_path / "out" / "certificate.json")["previous"]
    assert isinstance(previous, dict)
    assert previous["model"] is None
    assert list(differences(tmp_path / "out")) == []


def test_a_label_file_that_changed_after_it_was_accepted_is_refused_and_one_that_is_gone_is_none(
    second: FinishedJob, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_bytes(labels_of(second.manifest).read_bytes())
    made = second.elsewhere(tmp_path / "out", {"spec.previous.labels.uri": str(labels)})
    jobs.run(made)
    labels.write_text(labels.read_text() + "\n")
    said = jobs.refused(made, 64)
    assert "spec.previous.labels.uri: the file changed since the rows were selected" in said
    labels.unlink()
    jobs.run(made)


def test_labels_that_are_not_the_answers_are_refused_before_anything_is_listed(
    vector_job: FinishedJob, second: FinishedJob, tmp_path: Path
) -> None:
    answers = {row_id: rounds.LABELS[row_id] for row_id in rounds.selected(vector_job.output)}
    first = next(iter(answers))
    outside = {**answers, "row-99999": "c1"}
    few = dict(list(answers.items())[:50])
    for name, labels, words in (
        (
            "outside",
            outside,
            ("1 of 61 ids are of no row that the round before selected: 'row-99999'", "selection.csv"),
        ),
        ("few", few, ("50 of 60 selected rows are answered", "Label or skip the rest")),
    ):
        made = rounds.next_round(
            vector_job.manifest, tmp_path / name, jobs.write_labels(tmp_path / f"{name}.csv", labels)
        )
        said = jobs.refused(made, 65)
        assert all(word in said for word in ("spec.previous.labels", *words)), said
        assert not (tmp_path / name / "index").exists()
    twice = tmp_path / "twice.csv"
    twice.write_text("id,label\n" + f"{first},a\n{first},b\n")
    said = jobs.refused(rounds.next_round(vector_job.manifest, tmp_path / "twice", twice), 65)
    assert f"id '{first}' has label 'b', and label 'a' further up. Keep one" in said
    again = jobs.write_labels(tmp_path / "again.csv", answers)
    said = jobs.refused(rounds.next_round(second.manifest, tmp_path / "again", again), 65)
    assert "(60 were answered in a round before it, and count already)" in said


def test_an_edited_certificate_and_a_copied_one_are_refused(vector_job: FinishedJob, tmp_path: Path) -> None:
    labels = rounds.answer(vector_job.output, tmp_path / "labels.csv")
    certificate = (vector_job.output / "certificate.json").read_text()
    copy = jobs.write_file(tmp_path / "copy" / "certificate.json", certificate.encode())
    made = rounds.next_round(
        vector_job.manifest, tmp_path / "out", labels, {"spec.previous.certificate.uri": str(copy)}
    )
    assert "the output of that round is not beside it" in jobs.refused(made, 64)
    edited = json.loads(certificate) | {"seed": 5}
    copy.write_text(json.dumps(edited, indent=2) + "\n")
    assert "field seed: edited since it was written" in jobs.refused(made, 68)
    copy.unlink()
    assert "there is no certificate" in jobs.refused(made, 64)


def test_a_budget_above_what_is_left_and_another_normalization_are_refused(
    vector_job: FinishedJob, tmp_path: Path
) -> None:
    labels = rounds.answer(vector_job.output, tmp_path / "labels.csv")
    made = rounds.next_round(vector_job.manifest, tmp_path / "out", labels, {"spec.selection.budget": {"count": 541}})
    said = jobs.refused(made, 64)
    assert "is more than the 540 rows without an answer of an earlier round (value: 541). Set it to at most 540" in said
    other = rounds.next_round(vector_job.manifest, tmp_path / "out", labels, {"spec.embedding.normalize": "l2"})
    assert "spec.embedding.normalize: the round before has standardize" in jobs.refused(other, 64)


def test_workers_killed_in_each_step_of_a_round_change_nothing(second: FinishedJob, tmp_path: Path) -> None:
    moments = {"taking over": ("embed pool", "", 100), "gains": ("select", "gains", 0), "lists": ("select", "gains", 1)}
    report = run_losing_workers(second.elsewhere(tmp_path / "out"), moments, RecordingDisplay())
    assert report.selection_digest == second.digest


def test_what_labels_are_worth_counts_those_of_every_round(
    vector_job: FinishedJob, second: FinishedJob, tmp_path: Path
) -> None:
    heldout = jobs.write_embeddings(tmp_path / "heldout", 60, seed=1)
    truth = dict(zip(jobs.row_ids(60), blobs(60, classes=6, noise=0.8, seed=1).labels.tolist(), strict=True))
    evaluation = {
        "uri": str(heldout),
        "format": "embeddings",
        "labels": {"uri": str(jobs.write_labels(tmp_path / "heldout.csv", truth)), "format": "csv"},
    }
    labels = rounds.answer(second.output, tmp_path / "labels.csv")
    made = second.elsewhere(
        tmp_path / "out",
        {"spec.evaluation": evaluation, "spec.labels": {"uri": str(labels), "format": "csv"}},
    )
    report = jobs.run(made)
    probe, bought, told = report.evaluation.probe, report.evaluation.bought, report.round
    assert probe is not None
    assert probe.labels == 60 + 20
    assert bought is not None
    assert bought.rows == 60
    assert bought.with_them == pytest.approx(probe.selected)
    assert told is not None
    assert [(one.round, one.labels, one.total) for one in told.accuracy] == [(1, 60, 60), (2, 20, 80)]
    assert told.bought is not None
    assert told.bought.rows == 20
