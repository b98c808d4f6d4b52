"""The report of a round: its numbers, and the page that shows them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers import reports, round_reports
from helpers.html_pages import Page
from helpers.round_reports import FIRST, PICKS, POOL, SECOND, label, make_round_data, make_round_page_report

from afray.algorithms.calibration import Judgement
from afray.algorithms.gemm import Compute
from afray.algorithms.margins import UNCERTAIN, uncertainties
from afray.reporting import page, report, round_summary, summary, wording
from afray.reporting.round_facts import Estimate
from afray.reporting.round_summary import build_round


def figures(content: bytes) -> dict[str, dict[str, list[Any]]]:
    """The data of every picture of a page."""
    texts = [text for text in Page(content).raw["script"] if text.startswith('{"data"')]
    names = [found["data-figure"] for found in Page(content).attributes("div") if "data-figure" in found]
    return dict(zip(names, map(json.loads, texts), strict=True))


def test_uncertainty_is_that_of_the_model_of_the_rounds_before() -> None:
    told = make_round_data()
    found = build_round(told).uncertainty
    assert found is not None
    assert told.learnt is not None
    expected = uncertainties(POOL.vectors, told.learnt.model, Compute()) / UNCERTAIN
    assert found.picked_mean == pytest.approx(expected[PICKS].mean(), abs=1e-6)
    unanswered = np.setdiff1d(np.arange(300), np.concatenate([FIRST, SECOND, PICKS]))
    assert found.open_mean == pytest.approx(expected[unanswered].mean(), abs=1e-6)
    assert (sum(found.open), sum(found.picked), found.drawn) == (len(unanswered), len(PICKS), len(unanswered))
    pool = np.setdiff1d(np.arange(300), PICKS)
    levels = np.where(np.isin(pool, unanswered), np.rint(100 * expected[pool]), -1)
    assert list(found.levels) == levels.astype(int).tolist()


def test_picks_are_counted_by_predicted_class_beside_the_labels_that_it_has() -> None:
    found = build_round(make_round_data()).predicted
    assert sum(one.picks for one in found) == len(PICKS)
    assert [one.picks for one in found] == sorted((one.picks for one in found), reverse=True)
    before = POOL.labels[np.concatenate([FIRST, SECOND])].tolist()
    assert {one.name: one.labels for one in found} == {name: before.count(name) for name in set(before)}


def test_labels_of_the_round_itself_are_followed_but_do_not_judge_its_own_model() -> None:
    third = build_round(make_round_data(label((FIRST, SECOND, PICKS))))
    assert [one.round for one in third.accuracy] == [1, 2, 3]
    assert third.reliability == build_round(make_round_data()).reliability
    assert third.bought is not None
    assert third.bought.rows == len(PICKS)


def test_a_second_round_has_nothing_to_compare_its_labels_with() -> None:
    second = build_round(make_round_data(label((FIRST,)), number=2))
    assert [(one.round, one.labels, one.total) for one in second.accuracy] == [(1, 60, 60)]
    assert second.bought is None
    assert second.uncertainty is not None


def test_reliability_is_counted_in_tenths_and_its_error_weighs_rows() -> None:
    judged = Judgement(
        temperature=0.5,
        is_right=np.array([True, False, True, True, False]),
        raw=np.array([0.51, 0.59, 0.95, 1.0, np.nan]),
        calibrated=np.array([0.4, 0.4, 1.0, 1.0, np.nan]),
    )
    found = round_summary.describe_reliability(judged)
    assert found is not None
    assert found.rows == 4
    assert [(one.rows, one.confidence, one.accuracy) for one in found.before] == [(2, 0.55, 0.5), (2, 0.975, 1.0)]
    assert found.error_before == pytest.approx((2 * 0.05 + 2 * 0.025) / 4)
    assert found.error_after == pytest.approx((2 * 0.1 + 0.0) / 4)
    nothing = replace(judged, raw=np.full(5, np.nan), calibrated=np.full(5, np.nan))
    assert round_summary.describe_reliability(nothing) is None


def test_the_report_of_a_round_survives_its_file() -> None:
    built = make_round_page_report()
    assert report.read(report.write(built)) == built


def test_the_report_of_a_first_round_knows_nothing_of_rounds() -> None:
    built = summary.build_report(reports.make_report_data())
    document = json.loads(report.write(built))
    assert "round" not in document
    assert list(document["evaluation"]) == ["probe", "finetune"]
    content = page.render(built)
    assert b'id="round"' not in content
    assert set(figures(content)) == {"map-figure", "scores-figure"}


def test_the_page_of_a_round_shows_where_it_is_uncertain_and_what_labels_bought() -> None:
    built = make_round_page_report()
    parsed = Page(page.render(built))
    sections = [attributes["id"] for attributes in parsed.attributes("section")]
    assert sections[1:4] == ["map", "round", "scores"]
    assert "#round" in {attributes["href"] for attributes in parsed.attributes("a")}
    words = parsed.words.replace("\u00a0", " ")
    assert "20 of 308 rows are worth a label next" in words
    told = built.round
    assert told is not None
    assert told.uncertainty is not None
    assert told.bought is not None
    assert (
        f"{wording.percent(told.uncertainty.picked_mean)} among the picks of this round".replace("\u00a0", " ") in words
    )
    for one in told.predicted:
        assert f"{one.name} {one.picks} {one.labels}" in words
    for stood in told.accuracy:
        shown = wording.interval(stood.accuracy).replace("\u00a0", " ")
        assert f"round {stood.round} {stood.labels} {stood.total} {stood.classes} {shown}" in words
    assert wording.change(told.bought.difference).replace("\u00a0", " ") in words
    assert "the rows of round 2, cross-validated 30" in words
    assert "held-out rows would tell" in words


def test_what_held_out_rows_say_of_the_last_labels_stands_first() -> None:
    built = make_round_page_report()
    told = built.round
    assert told is not None
    heldout = told.bought.model_copy(update={"rows": 5000}) if told.bought else None
    changed = built.model_copy(update={"evaluation": built.evaluation.model_copy(update={"bought": heldout})})
    words = Page(page.render(changed)).words
    assert "held-out rows 5,000" in words
    assert "held-out rows would tell" not in words
    assert report.read(report.write(changed)) == changed


def test_the_pictures_of_a_round_hold_its_rows() -> None:
    found = figures(page.render(make_round_page_report()))
    assert list(found) == ["map-figure", "round-map-figure", "uncertainty-figure", "reliability-figure"]
    unanswered, answered, picks = found["round-map-figure"]["data"]
    assert (len(unanswered["x"]), len(answered["x"]), len(picks["x"])) == (190, 90, 20)
    assert len(unanswered["marker"]["size"]) == 190
    order = np.argsort(unanswered["customdata"])
    for drawn in ("size", "opacity"):
        assert (np.diff(np.array(unanswered["marker"][drawn])[order]) >= 0).all()
    assert max(unanswered["marker"]["opacity"]) <= 0.6
    for bars in found["uncertainty-figure"]["data"]:
        assert sum(bars["y"]) == pytest.approx(1)


def test_colours_of_every_picture_of_a_round_are_in_the_style_sheet() -> None:
    content = page.render(make_round_page_report())
    style = "".join(Page(content).raw["style"])
    named = {trace["meta"] for figure in figures(content).values() for trace in figure["data"]}
    assert all(style.count(f"--{name}: #") == 2 for name in named), named


def test_labels_of_one_class_have_a_page_too() -> None:
    same = np.flatnonzero(POOL.labels == "c0")[:10]
    told = make_round_data(label((same,)), number=2)
    assert told.learnt is None
    words = Page(page.render(make_round_page_report(told))).words
    assert "The labels of the rounds before are of one class, so they tell nothing apart" in words
    assert "What labels were worth" not in words


def test_names_of_classes_stay_text() -> None:
    hostile = "<img src=x onerror=alert(1)>"
    told = make_round_data()
    assert told.learnt is not None
    learnt = replace(told.learnt, classes=(hostile, *told.learnt.classes[1:]))
    parsed = Page(page.render(make_round_page_report(replace(told, learnt=learnt))))
    assert hostile in parsed.words
    assert all("onerror" not in attributes for _, attributes in parsed.elements)


def test_intervals_read_well() -> None:
    found = Estimate(value=0.831, low=0.8104, high=0.85)
    assert wording.interval(found) == "83.1\u00a0% [81.0, 85.0]"
    assert wording.change(Estimate(value=0.0123, low=-0.004, high=0.028)) == "+1.2\u00a0points [-0.4, +2.8]"


def test_round_pages_are_the_same_bytes_again() -> None:
    assert page.render(make_round_page_report()) == page.render(round_reports.make_round_page_report())
