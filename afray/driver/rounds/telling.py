"""What the report of a round is made of: the answers and the model that were kept, and the vectors of their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from afray.driver.features import PreparedPool
from afray.driver.outputs import Outcome
from afray.driver.rounds import answers, learning
from afray.driver.rounds.answers import AllAnswers
from afray.driver.rounds.frozen import find_rows
from afray.driver.stored_selection import load_inputs
from afray.driver.workspace import Workspace
from afray.pool.answers import Answers
from afray.reporting import pool_map
from afray.reporting.round_facts import RoundReport
from afray.reporting.summary import MapSample
from afray.storage.commits import committed
from afray.storage.ownership import SELECTION

if TYPE_CHECKING:
    from afray.evaluation.by_round import RoundedRows
    from afray.reporting.round_summary import Learnt


def tell_round(
    workspace: Workspace, prepared: PreparedPool, outcome: Outcome, newest: Answers | None, sample: MapSample
) -> RoundReport | None:
    """The facts of a round, None for a first one. `newest`: what people said about its rows, if they have."""
    stored = committed(workspace.output, SELECTION)
    inputs = load_inputs(workspace.output, stored) if stored else {}
    if answers.ROLE not in inputs:
        return None
    # Takes a second to import, and only rounds need it.
    from afray.reporting.round_summary import RoundData, build_round

    known = answers.read(inputs[answers.ROLE])
    by_round = [one.labels for one in known.rounds] + ([newest.labels] if newest else [])
    pool_rows = pool_map.pool_rows(sample.rows, outcome.selection)
    return build_round(
        RoundData(
            number=len(known.rounds) + 1,
            labelled=_take(prepared, by_round),
            learnt=_learn(prepared, known, inputs),
            picks=prepared.shards.take(outcome.selection.rows),
            pool=sample.vectors[np.searchsorted(sample.rows, pool_rows)],
            is_answered=np.isin(pool_rows, find_rows(prepared.pool, known.ids)),
        )
    )


def _take(prepared: PreparedPool, by_round: Sequence[Mapping[str, str]]) -> RoundedRows:
    """The labelled rows of every round, in ascending order."""
    from afray.evaluation.by_round import RoundedRows
    from afray.evaluation.labels import LabelledRows

    ids = [row_id for labels in by_round for row_id in labels]
    names = np.array([name for labels in by_round for name in labels.values()], np.str_)
    rounds = np.repeat(np.arange(1, len(by_round) + 1), [len(labels) for labels in by_round])
    rows = find_rows(prepared.pool, ids)
    order = np.argsort(rows, kind="stable")
    vectors = prepared.shards.take(rows[order])
    return RoundedRows(rows=LabelledRows(vectors=vectors, labels=names[order]), rounds=rounds[order])


def _learn(prepared: PreparedPool, known: AllAnswers, inputs: Mapping[str, bytes]) -> Learnt | None:
    """The model that the selection was made by; for a method that needs none, the one of the same labels."""
    from afray.reporting.round_summary import Learnt

    kept, classes = inputs.get(learning.ROLE), sorted(set(known.labels.values()))
    if len(classes) < 2:
        return None
    model = learning.read(kept) if kept else learning.learn(prepared, known)
    return Learnt(model=model, classes=tuple(classes)) if model else None
