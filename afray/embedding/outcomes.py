"""What embedding found out about each row, good or bad, as one table beside the vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from afray.pool.rows import Reason, RowUnreadable

EMBEDDED_SCHEMA = pa.schema(
    [
        pa.field("pool_id", pa.int64(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("sha256", pa.string()),  # of the row's bytes, hexadecimal; null if they could not be read
        pa.field("reason", pa.string()),  # null: the row is good; else one of afray.pool.rows.Reason
        pa.field("detail", pa.string()),  # a sentence to the reason
        pa.field("remark", pa.string()),  # what was read all the same, such as broken EXIF
        pa.field("width", pa.int32()),  # of the upright image; null if it was not decoded
        pa.field("height", pa.int32()),
        pa.field("orientation", pa.int8()),  # EXIF, as stored
    ]
)
"""One row per row of the part, in its order."""


ADDRESS = ("pool_id", "id")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowOutcome:
    """One row of EMBEDDED_SCHEMA without its address. A good row has no reason."""

    sha256: str | None = None
    reason: Reason | None = None
    detail: str | None = None
    remark: str | None = None
    width: int | None = None
    height: int | None = None
    orientation: int | None = None

    @classmethod
    def bad(cls, error: RowUnreadable, sha256: str | None) -> RowOutcome:
        """A row for the quarantine."""
        return cls(sha256=sha256, reason=error.reason, detail=error.detail)


def judge_vectors(
    vectors: NDArray[np.float32], outcomes: Sequence[RowOutcome], not_finite: str, *, rejects_zero_vectors: bool
) -> list[RowOutcome]:
    """The outcomes, with reasons for rows whose vectors (n, D) are of no use; zeroes all bad rows' vectors in place.

    `not_finite` is the detail of rows that hold NaN or infinity.
    """
    is_finite = np.logical_and.reduce(np.isfinite(vectors), axis=1)
    is_zero = ~np.logical_or.reduce(vectors, axis=1)
    judged = list(outcomes)
    for row, outcome in enumerate(outcomes):
        if outcome.reason is not None:
            pass
        elif not is_finite[row]:
            judged[row] = replace(outcome, reason=Reason.non_finite, detail=not_finite)
        elif rejects_zero_vectors and is_zero[row]:
            detail = "the vector is zero, so it has no direction"
            judged[row] = replace(outcome, reason=Reason.zero_vector, detail=detail)
    vectors[[outcome.reason is not None for outcome in judged]] = 0.0
    return judged


def tabulate(part: pa.Table, outcomes: Sequence[RowOutcome]) -> pa.Table:
    """EMBEDDED_SCHEMA of a part of the index and the outcomes of its rows, in order."""
    assert part.num_rows == len(outcomes), (part.num_rows, len(outcomes))
    addresses = [part[name].cast(EMBEDDED_SCHEMA.field(name).type) for name in ADDRESS]
    facts = [
        pa.array([getattr(outcome, field.name) for outcome in outcomes], field.type)
        for field in EMBEDDED_SCHEMA
        if field.name not in ADDRESS
    ]
    return pa.Table.from_arrays([*addresses, *facts], schema=EMBEDDED_SCHEMA)
