"""`afray next` and `afray diff` on finished rounds."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import yaml
from helpers import jobs, rounds
from helpers.jobs import FinishedJob
from typer.testing import CliRunner

from afray.cli.main import app
from afray.driver.rounds.planning import next_name

pytestmark = pytest.mark.ray


def invoke_next(output: Path, labels: Path, *options: str, budget: int = 20) -> tuple[int, str, str]:
    ended = CliRunner().invoke(
        app, ["next", "--from", str(output), "--labels", str(labels), "--budget", str(budget), *options]
    )
    return ended.exit_code, ended.stdout, ended.stderr


def test_the_next_manifest_runs_and_goes_on_twice(vector_job: FinishedJob, tmp_path: Path) -> None:
    labels = rounds.answer(vector_job.output, tmp_path / "labels.csv")
    code, written, told = invoke_next(vector_job.output, labels, "--output", str(tmp_path / "weld-2"))
    assert code == 0, told
    assert "round 2: 60 rows have an answer, 20 more will be chosen" in told
    made = yaml.safe_load(written)
    assert made["metadata"]["name"] == "weld-pilot-2"
    assert made["spec"]["selection"] == {"method": "uherding", "budget": {"count": 20}}
    assert made["spec"]["previous"]["labels"]["sha256"] == jobs.sha256_of(labels)
    jobs.run(made)

    labels = rounds.answer(tmp_path / "weld-2", tmp_path / "labels-2.csv")
    code, written, told = invoke_next(tmp_path / "weld-2", labels, "-o", "json", budget=10)
    assert code == 0, told
    assert "round 3 makes 90 labels in all: below 100" in told
    third = json.loads(written)
    assert third["metadata"]["name"] == "weld-pilot-3"
    assert third["spec"]["output"]["uri"] == (tmp_path / "weld-3").as_uri()

    shown = CliRunner().invoke(app, ["diff", str(vector_job.output), str(tmp_path / "weld-2"), "-o", "json"])
    found = json.loads(shown.stdout)
    assert found["goesOn"] is True
    assert len(found["rows"]["onlyFirst"]) == 60
    assert found["rows"]["onlySecond"] == rounds.selected(tmp_path / "weld-2")
    assert found["rows"]["both"] == []
    differences = {one["what"]: (one["first"], one["second"]) for one in found["differences"]}
    assert differences["spec.selection.method"] == ("bilaf", "uherding")
    assert differences["rows with an answer before"] == ("0", "60")
    assert differences["classes known before"] == ("0", "6")
    assert "fingerprint of the embeddings" not in differences
    table = CliRunner().invoke(app, ["diff", str(tmp_path / "weld-2"), str(vector_job.output)]).stdout
    assert "0 rows are in both, 20 in the first only, 60 in the second only. Neither goes on" in table


def test_settings_go_on_only_with_their_method(vector_job: FinishedJob, tmp_path: Path) -> None:
    labels = rounds.answer(vector_job.output, tmp_path / "labels.csv")
    code, written, told = invoke_next(vector_job.output, labels, "--method", "bilaf", budget=50)
    assert code == 0, told
    assert yaml.safe_load(written)["spec"]["selection"]["core"] == {"size": 40, "steps": 20}


def test_a_round_for_a_cluster_may_be_written_before_there_are_labels(vector_job: FinishedJob) -> None:
    ended = CliRunner().invoke(app, ["next", "--from", str(vector_job.output), "--budget", "20"])
    assert ended.exit_code == 64
    assert "spec.previous.labels is missing, and `afray run` waits for nobody" in ended.stderr


def test_a_nearest_neighbour_is_warned_of_rounds_and_a_trained_classifier_is_not(
    vector_job: FinishedJob, tmp_path: Path
) -> None:
    labels = rounds.answer(vector_job.output, tmp_path / "labels.csv")
    warning = "a nearest neighbour was measured to gain nothing from rounds"
    for options, is_warned in (
        (("--judge", "nearest"), True),
        (("--judge", "trained"), False),
        ((), False),
        (("--judge", "nearest", "--method", "kmeans"), False),
    ):
        code, _, told = invoke_next(vector_job.output, labels, *options)
        assert code == 0, told
        assert (warning in told) == is_warned
    code, _, told = invoke_next(vector_job.output, labels, "--judge", "magic")
    assert code == 64
    assert "--judge: is not among the choices (value: 'magic'). Write trained or nearest" in told


def test_classes_that_tell_too_little_are_named(vector_job: FinishedJob, tmp_path: Path) -> None:
    labels = jobs.write_labels(tmp_path / "labels.csv", dict.fromkeys(rounds.selected(vector_job.output), "weld"))
    code, _, told = invoke_next(vector_job.output, labels)
    assert code == 0
    assert "note: all 60 labels are of one class ('weld'). A round then covers the pool without a model" in told


def test_the_finetune_goes_on_unless_it_is_left_to_a_later_round(image_job: FinishedJob, tmp_path: Path) -> None:
    spec = jobs.parse(image_job.manifest).spec
    assert spec.pool.labels is not None
    assert spec.finetune is not None
    with Path(spec.pool.labels.uri.removeprefix("file://")).open(newline="") as file:
        known = {row["id"]: row["label"] for row in csv.DictReader(file)}
    chosen = {row_id: known[row_id] for row_id in rounds.selected(image_job.output)}
    labels = jobs.write_labels(tmp_path / "labels.csv", chosen)
    written, short = (
        yaml.safe_load(invoke_next(image_job.output, labels, *options)[1])["spec"]
        for options in ((), ("--no-finetune",))
    )
    assert written.pop("finetune")["epochs"] == spec.finetune.epochs
    assert short == written


def test_labels_that_do_not_fit_and_files_that_are_none_are_told(vector_job: FinishedJob, tmp_path: Path) -> None:
    few = jobs.write_labels(tmp_path / "few.csv", {rounds.selected(vector_job.output)[0]: "c1"})
    code, written, told = invoke_next(vector_job.output, few)
    assert (code, written) == (65, "")
    assert "1 of 60 selected rows are answered" in told
    code, _, told = invoke_next(vector_job.output, tmp_path / "labels.xlsx")
    assert code == 64
    assert "ends in none of .csv, .parquet and .json" in told
    code, _, told = invoke_next(tmp_path, few)
    assert code == 64
    assert "there is no certificate" in told


@pytest.mark.parametrize(
    ("name", "number", "expected"),
    [("weld", 2, "weld-2"), ("weld-2", 3, "weld-3"), ("weld-2", 2, "weld-2-2"), ("s3://b/out-9", 10, "s3://b/out-10")],
)
def test_names_count_the_rounds(name: str, number: int, expected: str) -> None:
    assert next_name(name, number) == expected
