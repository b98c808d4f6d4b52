"""The files a run leaves behind, under their final names, and the certificate that seals them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from afray.algorithms.selection import I64, Selection
from afray.contract.outputs import SELECTED
from afray.driver.embedding import EmbeddedPool
from afray.driver.kept import KeptRows
from afray.driver.publishing import publish
from afray.reporting import tables
from afray.reporting.summary import OutputTables
from afray.storage.commits import Fence
from afray.storage.store import Store

QUARANTINE = "quarantine.parquet"
HELDOUT_QUARANTINE = "heldout-quarantine.parquet"
"""Of the held-out set; only where a row of it is unreadable."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """A selection with names: what the files say."""

    selection: Selection
    names: tables.RowNames
    tables: OutputTables


def name_selection(pool: EmbeddedPool, selection: Selection) -> Outcome:
    """Give every selected and excluded row its id and address, and make the four tables."""
    rows = np.unique(np.concatenate([selection.rows, selection.cluster, selection.opponent, selection.excluded_rows,
                                     selection.excluded_cluster]))  # fmt: skip
    names = name_rows(pool, rows[rows >= 0])
    made = OutputTables(
        selection=tables.selection_table(selection, names),
        excluded=tables.excluded_table(selection, names),
        quarantine=_quarantine(pool),
        duplicates=_duplicates(pool),
    )
    return Outcome(selection=selection, names=names, tables=made)


def name_rows(pool: EmbeddedPool, rows: I64) -> tables.RowNames:
    """Ids, addresses and digests of row numbers (ascending)."""
    ids, uris, sha256 = pool.describe(pool.rows.pool_ids(rows))
    return tables.RowNames(rows=rows, ids=ids, uris=uris, sha256=sha256)


def output_files(outcome: Outcome) -> dict[str, bytes]:
    """Every output table as bytes, by file name."""
    made = outcome.tables
    return {
        SELECTED: tables.to_parquet(made.selection),
        "selection.csv": tables.to_csv(made.selection),
        "excluded.parquet": tables.to_parquet(made.excluded),
        QUARANTINE: tables.to_parquet(made.quarantine),
        "duplicates.parquet": tables.to_parquet(made.duplicates),
    }


def publish_quarantine(output: Store, pool: EmbeddedPool, name: str, *, fence: Fence) -> None:
    """Write a pool's quarantine alone: what a run that stops at the ceiling still owes its user."""
    publish(output, {name: tables.to_parquet(_quarantine(pool))}, fence=fence)


def _quarantine(pool: EmbeddedPool) -> pa.Table:
    bad = pool.rows.quarantine
    ids, uris, _ = pool.describe(bad["pool_id"].to_numpy())
    return tables.quarantine_table(ids, uris, bad["reason"].to_pylist(), bad["detail"].to_pylist())


def _duplicates(pool: EmbeddedPool) -> pa.Table:
    rows: KeptRows = pool.rows
    ids, uris, _ = pool.describe(rows.copies)
    originals, _, _ = pool.describe(rows.copy_of)
    return tables.duplicates_table(ids, uris, originals)
