import dataclasses
import json

import numpy as np
import pytest
from helpers import reports

from afray.algorithms.selection import plain
from afray.errors import IntegrityError
from afray.reporting import report, summary
from afray.reporting.digests import selection_digest
from afray.reporting.report import CopyGroup, Evaluation


def test_counts_agree_with_tables_and_selection() -> None:
    built = summary.build_report(reports.make_report_data())
    counts = built.counts
    assert (counts.core, counts.boundary, counts.removed, counts.copies, counts.quarantined) == (16, 8, 30, 5, 3)
    assert built.clusters is not None
    assert built.clusters.count == 16
    assert built.clusters.smallest <= built.clusters.median <= built.clusters.largest


def test_the_digest_is_that_of_the_selection_table() -> None:
    data = reports.make_report_data()
    table = data.tables.selection
    expected = selection_digest(table["id"].to_pylist(), table["kind"].to_pylist())
    assert summary.build_report(data).selection_digest == expected


def test_the_histogram_counts_every_pick_once_and_those_above_one_in_the_last_bin() -> None:
    data = reports.make_report_data()
    score = data.selection.score.copy()
    boundary = np.flatnonzero(~data.selection.is_core)
    score[boundary] = [-1, -0.99, 0, 0.01, 0.99, 1, 1.2, 7]
    built = summary.build_report(dataclasses.replace(data, selection=dataclasses.replace(data.selection, score=score)))
    assert built.scores is not None
    assert built.scores.picked[0] == 2
    assert built.scores.picked[40] == 2
    assert built.scores.picked[-1] == 4
    assert sum(built.scores.picked) == 8
    assert built.scores.picked_median == 0.5
    assert built.scores.kept == tuple(data.selection.score_counts.tolist())


def test_without_boundary_rows_there_is_no_histogram() -> None:
    assert summary.build_report(reports.make_report_data(boundary=0)).scores is None


def test_a_method_without_clusters_makes_a_report_too() -> None:
    built = summary.build_report(reports.make_report_data(selection=plain(np.array([4, 2]), kept=300)))
    assert (built.clusters, built.scores, built.gallery.removed) == (None, None, ())
    assert [row.id for row in built.gallery.core] == ["line-1/part-00004.png", "line-2/part-00002.png"]


def test_without_a_sample_there_is_no_map() -> None:
    data = dataclasses.replace(reports.make_report_data(), map_sample=None)
    assert summary.build_report(data).map is None


def test_bad_rows_are_grouped_by_reason_commonest_first() -> None:
    built = summary.build_report(reports.make_report_data())
    assert [(bad.reason, bad.count, bad.first_id) for bad in built.quarantine] == [
        ("truncated", 2, "broken.png"),
        ("empty", 1, "empty.png"),
    ]


def test_copies_are_grouped_by_the_row_that_stands_for_them() -> None:
    built = summary.build_report(reports.make_report_data())
    assert built.copy_groups == (
        CopyGroup(id="line-0/part-00000.png", copies=3),
        CopyGroup(id="line-1/part-00001.png", copies=2),
    )


def test_the_same_run_gives_the_same_bytes() -> None:
    assert report.write(summary.build_report(reports.make_report_data())) == report.write(
        summary.build_report(reports.make_report_data())
    )


@pytest.mark.parametrize(
    "data",
    [
        reports.make_report_data(),
        reports.make_report_data(boundary=0, evaluation=Evaluation()),
        reports.make_report_data(evaluation=reports.make_evaluation_without_random_labels()),
    ],
    ids=["all", "bare", "no random labels"],
)
def test_a_report_survives_its_file(data: summary.ReportData) -> None:
    built = summary.build_report(data)
    assert report.read(report.write(built)) == built


def test_the_file_is_plain_camel_case_json_with_a_line_per_part() -> None:
    written = report.write(summary.build_report(reports.make_report_data()))
    document = json.loads(written)
    assert document["funnel"] == {"listed": 308, "readable": 305, "unique": 300, "kept": 270, "selected": 24}
    assert document["evaluation"]["probe"]["randomMean"] == pytest.approx(0.746)
    assert document["job"]["finished"] == "2026-11-24T09:30:00Z"
    assert len(written.splitlines()) == len(document) + 2


def test_a_broken_report_names_the_field() -> None:
    written = report.write(summary.build_report(reports.make_report_data()))
    with pytest.raises(IntegrityError, match=r"report\.json: field funnel\.kept: .*\(value: -1\)"):
        report.read(written.replace(b'"kept":270', b'"kept":-1'))
    with pytest.raises(IntegrityError, match=r"report\.json: line \d+, column \d+"):
        report.read(written[:-10])
