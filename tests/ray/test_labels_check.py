"""`afray labels check`: a person is told by row what is wrong with a label file, by the rules of jobs that take it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from helpers import jobs, rounds
from helpers.jobs import FinishedJob
from helpers.label_studio import export, make_annotation, make_task
from typer.testing import CliRunner

from afray.cli.main import app

pytestmark = pytest.mark.ray


def check(labels: Path, output: Path, *options: str) -> tuple[int, str, str]:
    ended = CliRunner().invoke(app, ["labels", "check", str(labels), "--from", str(output), *options])
    return ended.exit_code, ended.stdout, ended.stderr


def found(labels: Path, output: Path, *options: str) -> dict[str, object]:
    code, told, _ = check(labels, output, "-o", "json", *options)
    document: dict[str, object] = json.loads(told)
    assert document["accepted"] == (code == 0)
    return document


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(["id,label,status", *lines]) + "\n")
    return path


def lines_of(job: FinishedJob) -> list[str]:
    """What people would send back."""
    return [f"{row_id},{rounds.LABELS[row_id]}," for row_id in rounds.selected(job.output)]


def test_a_good_file_is_taken_and_counted_and_what_is_open_or_unsure_is_named(
    vector_job: FinishedJob, tmp_path: Path
) -> None:
    ids, lines = rounds.selected(vector_job.output), lines_of(vector_job)
    labels = write(tmp_path / "labels.csv", [*lines[:57], f"{ids[57]},,skipped", f"{ids[58]},,unsure"])
    code, told, errors = check(labels, vector_job.output)
    assert (code, errors) == (0, "")
    assert f"{labels}: would be taken (for a round)" in told
    assert "of the 60 rows that weld-pilot selected: 57 labelled, 1 skipped, 1 unsure, 1 open" in told
    for problem, row_id in (("nobody has answered", 59), ("people are unsure", 58), ("people skipped", 57)):
        assert any(problem in head and ids[row_id] in rows for head, rows in itertools.pairwise(told.split("\n")))


def test_every_line_that_is_wrong_is_named_with_what_to_do(vector_job: FinishedJob, tmp_path: Path) -> None:
    ids, lines = rounds.selected(vector_job.output), lines_of(vector_job)
    wrong = [f"{ids[0]},other,", f"{ids[59]},,", "row-99999,c1,", ",c1,"]
    labels = write(tmp_path / "labels.csv", [*lines[:59], *wrong])
    code, told, errors = check(labels, vector_job.output)
    assert code == 65
    assert "refused, 4 problems (for a round)" in told
    assert f"line 61: id '{ids[0]}' has label 'other', and label '{rounds.LABELS[ids[0]]}' further up" in told
    assert f"line 62: the label of '{ids[59]}' is empty" in told
    assert "line 64: the id is empty" in told
    assert "the file: 1 of 60 ids are of no row that the round before selected: 'row-99999'" in told
    assert told.count("    next:  ") == 4
    assert "59 labelled, 0 skipped, 0 unsure, 1 open" in told
    assert "refused for a round. Mend what is told above, and check again" in errors
    made = rounds.next_round(vector_job.manifest, tmp_path / "out", labels)
    assert f"line 61: id '{ids[0]}' has label 'other'" in jobs.refused(made, 65)


def test_an_export_is_told_by_task_and_by_who_disagreed(vector_job: FinishedJob, tmp_path: Path) -> None:
    ids = rounds.selected(vector_job.output)
    tasks = [make_task(row_id, make_annotation(rounds.LABELS[row_id]), number=n) for n, row_id in enumerate(ids, 1)]
    tasks[3] = make_task(ids[3], make_annotation("a", by=1), make_annotation("b", by=2), number=4)
    tasks[4] = make_task(ids[4], make_annotation("a", "b"), number=5)
    labels = jobs.write_file(tmp_path / "export.json", export(*tasks))
    document = found(labels, vector_job.output)
    assert document["problems"] == [
        {
            "where": "task 5 (id 5), annotation 1",
            "problem": "2 choices in one result, ('a', 'b'), and a row has one label",
            "next": 'Set choice="single" in the labelling interface, correct the task, and export again',
            "rows": {ids[4]: ""},
        }
    ]
    notes = document["notes"]
    assert isinstance(notes, list)
    assert {ids[3]: "1 'a', 1 'b'"} in [note["rows"] for note in notes]
    assert (document["labelled"], document["unsure"], document["open"]) == (58, 1, 1)


def test_too_few_answers_are_all_named_in_the_data(vector_job: FinishedJob, tmp_path: Path) -> None:
    document = found(write(tmp_path / "labels.csv", lines_of(vector_job)[:40]), vector_job.output)
    problems = document["problems"]
    assert isinstance(problems, list)
    (problem,) = problems
    assert "40 of 60 selected rows are answered, 95% are needed; 20 are missing" in problem["problem"]
    assert list(problem["rows"]) == rounds.selected(vector_job.output)[40:]


def test_one_class_is_enough_for_a_round_and_not_for_a_finetune(vector_job: FinishedJob, tmp_path: Path) -> None:
    ids = rounds.selected(vector_job.output)
    labels = write(tmp_path / "labels.csv", [f"{row_id},weld," for row_id in ids])
    document = found(labels, vector_job.output)
    assert document["for"] == "round"
    assert "all 60 labels are of one class ('weld')" in str(document["notes"])
    refused = found(labels, vector_job.output, "--for", "finetune")
    assert "the labels name 'weld' only; two classes are needed" in str(refused["problems"])


def test_a_purpose_a_format_and_an_output_that_are_none_are_refused(vector_job: FinishedJob, tmp_path: Path) -> None:
    labels = write(tmp_path / "labels.csv", lines_of(vector_job))
    for code, words, ended in (
        (64, "--for: is not among the choices (value: 'all'). Write round or finetune", ("--for", "all")),
        (64, "there is no certificate", ("--from", str(tmp_path))),
    ):
        assert words in check(labels, vector_job.output, *ended)[2]
        assert check(labels, vector_job.output, *ended)[0] == code
    assert check(tmp_path / "labels.xlsx", vector_job.output)[0] == 64
    assert check(tmp_path / "gone.csv", vector_job.output)[0] == 66
