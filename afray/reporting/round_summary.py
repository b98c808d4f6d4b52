"""From the labels and the model of a round to what its report says; a pure function of arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import margins
from afray.algorithms.calibration import Judgement
from afray.algorithms.gemm import Compute
from afray.algorithms.margins import UNCERTAIN, LinearModel
from afray.evaluation import by_round
from afray.evaluation.by_round import Gain, RoundedRows, Standing
from afray.reporting.round_facts import (
    Bought,
    Estimate,
    PredictedClass,
    Reliability,
    ReliabilityBin,
    RoundAccuracy,
    RoundReport,
    Uncertainty,
)

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

BINS = 40
"""Of uncertainty."""
CONFIDENCE_BINS = 10
_DECIMALS = 6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learnt:
    """The model of the rounds before, and its classes in the order of its rows."""

    model: LinearModel
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RoundData:
    """All that the report of a round needs."""

    number: int
    labelled: RoundedRows
    """At least one row of a round before; those of this round too, if their labels are there."""
    learnt: Learnt | None
    """None: the labels before are of one class."""
    picks: F32
    """(B, D) prepared vectors of the rows that this round chose."""
    pool: F32
    """(m, D) those of the pool rows of the map, in its order."""
    is_answered: Bools
    """(m,)"""


def build_round(told: RoundData) -> RoundReport:
    """Every number of the report of a round."""
    standings = list(by_round.follow(told.labelled))
    before = next((standing for standing in standings if standing.round == told.number - 1), None)
    learnt = told.learnt if before else None
    gain = by_round.judge_last(standings[-1]) if standings else None
    return RoundReport(
        number=told.number,
        uncertainty=_measure_uncertainty(told, learnt) if learnt else None,
        predicted=_predict(told.picks, learnt, before.rows.rows.labels.tolist()) if before and learnt else (),
        reliability=describe_reliability(before.judgement) if before else None,
        accuracy=tuple(_describe(standing) for standing in standings),
        bought=describe_gain(gain) if gain else None,
    )


def describe_gain(gain: Gain) -> Bought:
    """The gain as a report says it."""
    return Bought.model_validate(asdict(gain))


def describe_reliability(judgement: Judgement) -> Reliability | None:
    """Reliability of the rows that could be judged; None if there are none."""
    judged = ~np.isnan(judgement.raw)
    if not judged.any():
        return None
    is_right = judgement.is_right[judged]
    before, after = (_bin(values[judged], is_right) for values in (judgement.raw, judgement.calibrated))
    return Reliability(
        temperature=judgement.temperature,
        rows=len(is_right),
        before=before,
        after=after,
        error_before=_error(before),
        error_after=_error(after),
    )


def _bin(confidence: F64, is_right: Bools) -> tuple[ReliabilityBin, ...]:
    place = np.minimum((confidence * CONFIDENCE_BINS).astype(np.int64), CONFIDENCE_BINS - 1)
    return tuple(
        ReliabilityBin(
            rows=int(here.sum()),
            confidence=_share(confidence[here].mean()),
            accuracy=_share(is_right[here].mean()),
        )
        for here in (place == number for number in range(CONFIDENCE_BINS))
        if here.any()
    )


def _error(bins: Sequence[ReliabilityBin]) -> float:
    rows = sum(one.rows for one in bins)
    return _share(sum(one.rows * abs(one.confidence - one.accuracy) for one in bins) / rows)


def _measure_uncertainty(told: RoundData, learnt: Learnt) -> Uncertainty:
    pool, picked = (_uncertainties(vectors, learnt.model) for vectors in (told.pool, told.picks))
    unanswered = pool[~told.is_answered]
    return Uncertainty(
        drawn=len(unanswered),
        open=_count(unanswered),
        picked=_count(picked),
        open_mean=_share(unanswered.mean() if len(unanswered) else 0.0),
        picked_mean=_share(picked.mean() if len(picked) else 0.0),
        levels=tuple(np.where(told.is_answered, -1, np.rint(100 * pool)).astype(np.int64).tolist()),
    )


def _uncertainties(vectors: F32, model: LinearModel) -> F64:
    return margins.uncertainties(vectors, model, Compute()) / UNCERTAIN


def _count(values: F64) -> tuple[int, ...]:
    counts: list[int] = np.histogram(values, BINS, (0, 1))[0].tolist()
    return tuple(counts)


def _predict(picks: F32, learnt: Learnt, labels: Sequence[str]) -> tuple[PredictedClass, ...]:
    scores = picks.astype(np.float64) @ learnt.model.weights.T + learnt.model.offsets
    predicted, given = Counter(scores.argmax(axis=1).tolist()), Counter(labels)
    found = (
        PredictedClass(name=name, labels=given[name], picks=predicted[code]) for code, name in enumerate(learnt.classes)
    )
    return tuple(sorted(found, key=lambda one: -one.picks))


def _describe(standing: Standing) -> RoundAccuracy:
    accuracy = by_round.estimate_share(standing.judgement.is_right)
    return RoundAccuracy(
        round=standing.round,
        labels=int((standing.rows.rounds == standing.round).sum()),
        total=len(standing.judgement.is_right),
        classes=len(set(standing.rows.rows.labels.tolist())),
        accuracy=Estimate.model_validate(asdict(accuracy)),
    )


def _share(value: float) -> float:
    return round(float(value), _DECIMALS)
