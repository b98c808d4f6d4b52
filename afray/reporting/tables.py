"""The tables a run leaves behind: what was selected, removed, unreadable, and a copy of something else.

Schemas and column names live here and nowhere else. Algorithms speak of row numbers; these functions turn them into
ids, in one place, by `RowNames`. Nothing here reads or writes files: tables become bytes and back.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from afray.algorithms.selection import F64, I64, Selection
from afray.errors import IntegrityError


class Kind(StrEnum):
    """Why a row was selected."""

    CORE = "core"
    BOUNDARY = "boundary"


OUTLIER = "outlier"
"""The one reason for which denoising removes a row."""

SELECTION_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("rank", pa.int64(), nullable=False),
        pa.field("cluster", pa.string(), nullable=False),
        pa.field("score", pa.float64()),
        pa.field("opponent", pa.string()),
        pa.field("distance", pa.float64()),
        pa.field("sha256", pa.string()),
    ]
)
EXCLUDED_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("cluster", pa.string(), nullable=False),
        pa.field("density", pa.float64()),
        pa.field("limit", pa.float64()),
        pa.field("reason", pa.string(), nullable=False),
    ]
)
QUARANTINE_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
    ]
)
DUPLICATES_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("copy_of", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowNames:
    """What people call rows: one entry per selected and per excluded row, or for more rows than that.

    `rows` are row numbers as in `shards`, ascending and unique; the string arrays are aligned with them. `sha256` is
    null where a row has no bytes of its own (pools of embeddings).
    """

    rows: I64
    ids: pa.Array
    uris: pa.Array
    sha256: pa.Array

    def positions(self, rows: I64) -> pa.Array:
        """Where `rows` stand in these arrays; null for -1. Raises KeyError for a row without a name."""
        present = rows >= 0
        positions = np.searchsorted(self.rows, rows)
        known = self.rows[np.minimum(positions, len(self.rows) - 1)] == rows if len(self.rows) else ~present
        if unnamed := rows[present & ~known].tolist():
            raise KeyError(f"row {unnamed[0]} has no id among the {len(self.rows)} named rows")
        return pa.array(positions, pa.int64(), mask=~present)

    def ids_of(self, rows: I64) -> pa.Array:
        """Id text of `rows`; null for -1."""
        return self.ids.take(self.positions(rows))


def selection_table(selection: Selection, names: RowNames) -> pa.Table:
    """selection.parquet and .csv: one line per label to pay for, in rank order. Missing values are null."""
    own = names.positions(selection.rows)
    return _table(
        SELECTION_SCHEMA,
        {
            "id": names.ids.take(own),
            "uri": names.uris.take(own),
            "kind": np.where(selection.is_core, Kind.CORE.value, Kind.BOUNDARY.value),
            "rank": np.arange(len(selection.rows)),
            "cluster": names.ids_of(selection.cluster),
            "score": _nullable(selection.score),
            "opponent": names.ids_of(selection.opponent),
            "distance": _nullable(selection.distance),
            "sha256": names.sha256.take(own),
        },
    )


def excluded_table(selection: Selection, names: RowNames) -> pa.Table:
    """excluded.parquet: the rows that denoising removed, by ascending pool id; density and limit as in `Selection`."""
    own = names.positions(selection.excluded_rows)
    return _table(
        EXCLUDED_SCHEMA,
        {
            "id": names.ids.take(own),
            "uri": names.uris.take(own),
            "cluster": names.ids_of(selection.excluded_cluster),
            "density": _nullable(selection.excluded_density),
            "limit": _nullable(selection.excluded_limit),
            "reason": [OUTLIER] * len(selection.excluded_rows),
        },
    )


def quarantine_table(
    ids: Sequence[str], uris: Sequence[str], reasons: Sequence[str], details: Sequence[str]
) -> pa.Table:
    """quarantine.parquet: rows that could not be read, with a reason code and what was seen."""
    return _table(QUARANTINE_SCHEMA, {"id": ids, "uri": uris, "reason": reasons, "detail": details})


def duplicates_table(ids: Sequence[str], uris: Sequence[str], copies_of: Sequence[str]) -> pa.Table:
    """duplicates.parquet: rows whose bytes equal those of `copy_of`, the row that stood for them."""
    return _table(DUPLICATES_SCHEMA, {"id": ids, "uri": uris, "copy_of": copies_of})


def to_parquet(table: pa.Table, facts: Mapping[str, str] | None = None) -> bytes:
    """The table as one Parquet file; `facts` become its key-value metadata."""
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(dict(facts or {})), buffer, compression="zstd")
    return buffer.getvalue()


def to_csv(table: pa.Table) -> bytes:
    """The table as CSV: a header, every value quoted, missing values empty, UTF-8, LF."""
    buffer = io.BytesIO()
    pa_csv.write_csv(table, buffer, pa_csv.WriteOptions(quoting_style="all_valid"))
    return buffer.getvalue()


def from_parquet(content: bytes, schema: pa.Schema, name: str) -> pa.Table:
    """The table in a Parquet file. Raises IntegrityError if it is damaged or has other columns than `schema`."""
    try:
        table = pq.read_table(io.BytesIO(content))
    except (pa.ArrowException, OSError) as broken:
        raise IntegrityError(f"{name}: not a readable Parquet file ({broken}); run `afray run` again") from broken
    if not table.schema.equals(schema):
        raise IntegrityError(f"{name}: columns {table.schema.names} where {schema.names} were expected")
    return table


def _table(schema: pa.Schema, columns: Mapping[str, object]) -> pa.Table:
    table = pa.table({name: pa.array(columns[name], schema.field(name).type) for name in schema.names}, schema)
    for field in schema:
        if not field.nullable and pc.any(pc.is_null(table[field.name])).as_py():
            raise ValueError(f"column {field.name} has a row without a value")
    return table


def _nullable(values: F64) -> pa.Array:
    return pa.array(values, pa.float64(), mask=np.isnan(values))
