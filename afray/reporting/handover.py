"""handover/: the selected rows as files that people who label can open.

    label-studio/tasks-00001.json    a list of tasks to import
    csv/rows-00001.csv               a table with empty columns to fill in

Every file holds at most ROWS_PER_FILE rows in rank order, and every row carries its id there and back. What comes back
is read by `spec.labels` and `spec.previous.labels` as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from afray.reporting import tables
from afray.reporting.facts import Json

ROWS_PER_FILE = 5000
FOLDER = "handover"
CSV_SCHEMA = pa.schema(
    [
        *(tables.SELECTION_SCHEMA.field(name) for name in ("id", "uri", "kind", "rank")),
        *(pa.field(name, pa.string()) for name in ("label", "status", "annotator")),
    ]
)


def handover_files(selection: pa.Table, is_object: NDArray[np.bool_], job: str) -> dict[str, bytes]:
    """Every file by its name below the output.

    `selection` is the table of that name; `is_object` (n,) says which of its rows are objects of their own, which a
    labelling tool can show by address; `job` names the selection in every task.
    """
    files: dict[str, bytes] = {}
    for number, start in enumerate(range(0, len(selection), ROWS_PER_FILE), start=1):
        part = selection.slice(start, ROWS_PER_FILE)
        tasks = _make_tasks(part, is_object[start : start + ROWS_PER_FILE], job)
        files[f"{FOLDER}/label-studio/tasks-{number:05d}.json"] = _to_json(tasks)
        files[f"{FOLDER}/csv/rows-{number:05d}.csv"] = tables.to_csv(_make_form(part))
    return files


def _make_tasks(rows: pa.Table, is_object: NDArray[np.bool_], job: str) -> Iterator[dict[str, Json]]:
    for row, has_image in zip(rows.select(["id", "uri", "kind", "rank"]).to_pylist(), is_object.tolist(), strict=True):
        # In `data`, for nothing else survives every export.
        image = {"image": row["uri"]} if has_image else {}
        yield {
            "data": {
                **image,
                "afray_id": row["id"],
                "afray_kind": row["kind"],
                "afray_rank": row["rank"],
                "afray_job": job,
            }
        }


def _to_json(tasks: Iterator[dict[str, Json]]) -> bytes:
    """A list with a line per task."""
    lines = (json.dumps(task, ensure_ascii=False, separators=(",", ":")) for task in tasks)
    return ("[\n" + ",\n".join(lines) + "\n]\n").encode()


def _make_form(rows: pa.Table) -> pa.Table:
    """The rows with nothing yet in the columns that people fill in."""
    empty = pa.nulls(len(rows), pa.string())
    columns = {name: rows[name] if name in rows.column_names else empty for name in CSV_SCHEMA.names}
    return pa.table(columns, CSV_SCHEMA)
