"""What labels are worth round by round."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import round_reports
from helpers.labelled import blobs
from helpers.round_reports import FIRST, POOL, SECOND, label

from afray.algorithms import calibration
from afray.evaluation import by_round, probe


def test_a_row_is_judged_by_models_that_did_not_see_it() -> None:
    rows = blobs(80, classes=4, noise=0.9)
    _, codes = np.unique(rows.labels, return_inverse=True)
    found = calibration.judge(rows.vectors, codes.astype(np.int64))
    spoilt = codes.copy()
    spoilt[7] = (spoilt[7] + 1) % 4
    assert 0.5 < found.is_right.mean() < 1.0
    assert not np.isnan(found.raw).any()
    assert found.temperature in calibration.TEMPERATURES
    if found.temperature > 1.0:
        assert (found.calibrated <= found.raw).all()
    else:
        assert (found.calibrated >= found.raw).all()


def test_a_row_of_a_class_that_no_other_row_has_is_wrong_and_has_no_confidence() -> None:
    rows = blobs(41, classes=4)
    codes = np.concatenate([np.unique(rows.labels[:40], return_inverse=True)[1], [4]]).astype(np.int64)
    found = calibration.judge(rows.vectors, codes)
    assert not found.is_right[40]
    assert np.isnan(found.raw[40])
    assert np.isnan(found.calibrated[40])
    assert not np.isnan(found.raw[:40]).any()


def test_single_rows_of_classes_judge_nothing() -> None:
    rows = blobs(5)
    found = calibration.judge(rows.vectors, np.arange(5))
    assert found.temperature == 1.0
    assert not found.is_right.any()
    assert np.isnan(found.raw).all()


def test_labels_are_followed_from_round_to_round() -> None:
    standings = list(by_round.follow(label()))
    assert [(one.round, len(one.judgement.is_right)) for one in standings] == [
        (1, len(FIRST)),
        (2, len(FIRST) + len(SECOND)),
    ]
    assert standings[0].rows.rows.labels.tolist() == POOL.labels[FIRST].tolist()


def test_rounds_of_a_single_class_are_left_out() -> None:
    same = np.flatnonzero(POOL.labels == "c0")[:10]
    others = np.flatnonzero(POOL.labels != "c0")[:20]
    assert [one.round for one in by_round.follow(label((same, others)))] == [2]
    assert list(by_round.follow(label((same,)))) == []


def test_the_last_labels_are_judged_on_their_own_rows_beside_a_model_without_them() -> None:
    *_, last = by_round.follow(label())
    gain = by_round.judge_last(last)
    assert gain is not None
    predicted = probe.predict_linear(POOL.take(FIRST), POOL.vectors[SECOND])
    assert gain.rows == len(SECOND)
    assert gain.without == pytest.approx((predicted == POOL.labels[SECOND]).mean())
    assert gain.with_them == pytest.approx(last.judgement.is_right[last.rows.rounds == 2].mean())
    assert gain.difference.value == pytest.approx(gain.with_them - gain.without)
    assert by_round.judge_last(next(by_round.follow(label()))) is None


def test_held_out_rows_judge_both_models() -> None:
    test = blobs(200, classes=round_reports.CLASSES, noise=0.9, seed=1)
    few, more = POOL.take(FIRST[:12]), POOL.take(FIRST)
    gain = by_round.judge_heldout(few, more, test)
    assert gain.rows == 200
    assert gain.without < gain.with_them
    assert gain.difference.low < gain.difference.value < gain.difference.high


def test_that_no_row_changed_is_no_proof_that_none_would() -> None:
    right = np.arange(60) % 3 > 0
    assert by_round.compare(right, right).difference == by_round.Interval(value=0.0, low=-0.05, high=0.05)
    assert by_round.compare(right[:2], right[:2]).difference == by_round.Interval(value=0.0, low=-1.0, high=1.0)


def test_a_single_defect_among_good_rows_spoils_no_other_row() -> None:
    rows = blobs(40, classes=2)
    codes = np.array([*[0] * 39, 1], np.int64)
    found = calibration.judge(rows.vectors, codes)
    assert found.is_right.tolist() == [*[True] * 39, False]
    assert np.isnan(found.raw).sum() == 10, "what the fold of the defect says needs a second class"


def test_the_interval_of_a_share_stays_between_nothing_and_all() -> None:
    # Wilson's interval for 8 of 10, by the textbook: 49.0 to 94.3 %.
    found = by_round.estimate_share(np.arange(10) < 8)
    assert (round(found.low, 3), round(found.high, 3)) == (0.490, 0.943)
    assert by_round.estimate_share(np.ones(5, np.bool_)).high == 1.0
    assert by_round.estimate_share(np.zeros(5, np.bool_)).low == 0.0
