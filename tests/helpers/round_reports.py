"""Rounds made up for tests of their report: a small labelled pool, answers of two rounds, picks of the third."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from helpers import reports
from helpers.labelled import blobs

from afray.algorithms.calibration import calibrate
from afray.algorithms.selection import plain
from afray.evaluation.by_round import RoundedRows
from afray.evaluation.labels import I64, LabelledRows
from afray.reporting import pool_map
from afray.reporting.report import Report
from afray.reporting.round_summary import Learnt, RoundData, build_round
from afray.reporting.summary import build_report

ROWS, CLASSES = 300, 4
POOL = blobs(ROWS, classes=CLASSES, noise=0.9)
FIRST, SECOND = np.arange(0, 60), np.arange(100, 130)
PICKS = np.arange(200, 220)


def label(rounds: tuple[I64, ...] = (FIRST, SECOND)) -> RoundedRows:
    """True labels of rows of the pool, by round."""
    rows = np.concatenate(rounds)
    numbers = np.repeat(np.arange(1, len(rounds) + 1), [len(one) for one in rounds])
    order = np.argsort(rows)
    return RoundedRows(rows=POOL.take(rows), rounds=numbers[order])


def learn(labelled: LabelledRows) -> Learnt | None:
    """The model of labelled rows."""
    classes, codes = np.unique(labelled.labels, return_inverse=True)
    model = calibrate(labelled.vectors, codes.astype(np.int64))
    return Learnt(model=model, classes=tuple(classes.tolist())) if model else None


def make_round_data(labelled: RoundedRows | None = None, *, number: int = 3) -> RoundData:
    """Round `number`, whose picks are PICKS; every row but those is a pool row of the map."""
    labelled = labelled or label()
    pool_rows = np.setdiff1d(np.arange(ROWS), PICKS)
    return RoundData(
        number=number,
        labelled=labelled,
        learnt=learn(labelled.up_to(number - 1).rows),
        picks=POOL.vectors[PICKS],
        pool=POOL.vectors[pool_rows],
        is_answered=np.isin(pool_rows, np.concatenate([FIRST, SECOND])),
    )


def make_round_page_report(told: RoundData | None = None) -> Report:
    """The whole report of a round."""
    selection = plain(PICKS, kept=ROWS)
    data = reports.make_report_data(rows=ROWS, selection=selection)
    sampled = pool_map.sample_rows(ROWS, selection)
    assert data.map_sample is not None
    sample = replace(data.map_sample, rows=sampled, vectors=POOL.vectors[sampled])
    return build_report(replace(data, map_sample=sample, round=build_round(told or make_round_data())))
