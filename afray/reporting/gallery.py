"""Which rows the report shows one by one: the first picks of each kind and the most isolated of the removed rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from afray.reporting.report import Gallery, PickedRow, RemovedRow
from afray.reporting.tables import Kind

PICKS_SHOWN = 24
REMOVED_SHOWN = 24


def choose(selection: pa.Table, excluded: pa.Table) -> Gallery:
    """The rows to show out of the two output tables."""
    core = selection.filter(pc.equal(selection["kind"], Kind.CORE.value))
    boundary = selection.filter(pc.equal(selection["kind"], Kind.BOUNDARY.value))
    half = PICKS_SHOWN // 2
    core_share = PICKS_SHOWN - min(half, len(boundary))
    boundary_share = PICKS_SHOWN - min(half, len(core))
    return Gallery(
        core=_picked(core.slice(0, core_share)),
        boundary=_picked(boundary.slice(0, boundary_share)),
        removed=_removed(excluded),
    )


def pictured_ids(gallery: Gallery) -> tuple[str, ...]:
    """Ids of every row whose thumbnail the report can use, each once: the rows shown and the cores beside them."""
    shown = [row.id for row in (*gallery.core, *gallery.boundary)] + [row.id for row in gallery.removed]
    beside = [core for row in gallery.boundary for core in (row.cluster, row.opponent) if core is not None]
    return tuple(dict.fromkeys([*shown, *beside]))


def _picked(rows: pa.Table) -> tuple[PickedRow, ...]:
    return tuple(PickedRow.model_validate(row) for row in rows.drop_columns(["sha256"]).to_pylist())


def _removed(excluded: pa.Table) -> tuple[RemovedRow, ...]:
    """The most isolated first; rows that were never ranked last."""
    density = excluded["density"].to_numpy(zero_copy_only=False).astype(np.float64)
    order = np.argsort(-density, kind="stable")[:REMOVED_SHOWN]
    shown = excluded.take(pa.array(order)).drop_columns(["reason"]).to_pylist()
    return tuple(RemovedRow.model_validate(row) for row in shown)
