"""The end of a run on a terminal: whatever people copy from it is whole."""

from __future__ import annotations

import io

import pytest
from helpers.reports import make_evaluation, make_report_data
from rich.console import Console

from afray.cli.summary import address, summarize
from afray.reporting.report import Report
from afray.reporting.summary import build_report


def lines_on_a_terminal(report: Report, width: int) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width, force_terminal=True, color_system=None).print(summarize(report).table)
    return file.getvalue().splitlines()


@pytest.fixture
def report() -> Report:
    return build_report(make_report_data())


def test_the_digest_is_whole_on_one_line_of_80_columns(report: Report) -> None:
    assert len(report.selection_digest) == 64
    assert f"selectionDigest {report.selection_digest}" in lines_on_a_terminal(report, 80)


@pytest.mark.parametrize("width", [40, 80])
def test_a_path_longer_than_the_terminal_is_folded_and_not_cut(report: Report, width: int) -> None:
    deep = "/data/" + "/".join(["a-folder-with-quite-a-name"] * 5)
    moved = report.model_copy(update={"job": report.job.model_copy(update={"output": deep})})
    shown = "".join(lines_on_a_terminal(moved, width))
    assert address(moved, "report.html") in shown
    assert address(moved, "selection.csv") in shown


@pytest.mark.parametrize(("labels", "held_out", "is_said"), [(2, False, True), (20, False, False), (2, True, False)])
def test_a_cross_validation_of_too_few_labels_is_called_so(labels: int, held_out: bool, is_said: bool) -> None:
    evaluation = make_evaluation()
    assert evaluation.finetune is not None
    changes = {"labels": labels, "classes": 2, "classes_hit": 2, "held_out": held_out}
    tuned = evaluation.finetune.model_copy(update=changes)
    report = build_report(make_report_data(evaluation=evaluation.model_copy(update={"finetune": tuned})))
    assert any("too few labels" in line for line in lines_on_a_terminal(report, 300)) == is_said
