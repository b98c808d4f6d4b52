"""A Table of an API server as kubectl shows it."""

from __future__ import annotations

from typing import Any

from afray.client.tables import read_table

COLUMNS = [
    {"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0},
    {"name": "Phase", "type": "string", "format": "", "description": "", "priority": 0},
    {"name": "Selected", "type": "integer", "format": "", "description": "", "priority": 0},
    {"name": "Reason", "type": "string", "format": "", "description": "", "priority": 1},
]


def row(name: str, *cells: object) -> dict[str, Any]:
    return {"cells": [name, *cells], "object": {"kind": "PartialObjectMetadata", "metadata": {"namespace": "plant"}}}


FIRST: dict[str, Any] = {
    "kind": "Table",
    "columnDefinitions": COLUMNS,
    "rows": [row("a", "Running", None, "Heartbeat")],
}
SECOND: dict[str, Any] = {"kind": "Table", "columnDefinitions": None, "rows": [row("b", "Succeeded", 100, "Succeeded")]}


def test_important_columns_are_shown_and_the_others_if_asked_for() -> None:
    narrow = read_table([FIRST], wide=False, namespaces=False)
    assert narrow.columns == ("NAME", "PHASE", "SELECTED")
    assert narrow.rows == (("a", "Running", ""),)
    wide = read_table([FIRST], wide=True, namespaces=False)
    assert wide.columns[-1] == "REASON"
    assert wide.rows == (("a", "Running", "", "Heartbeat"),)


def test_pages_follow_each_other_and_only_the_first_names_the_columns() -> None:
    found = read_table([FIRST, SECOND], wide=False, namespaces=True)
    assert found.columns == ("NAMESPACE", "NAME", "PHASE", "SELECTED")
    assert found.rows == (("plant", "a", "Running", ""), ("plant", "b", "Succeeded", "100"))


def test_no_jobs_are_no_rows() -> None:
    assert read_table([{**FIRST, "rows": []}], wide=False, namespaces=False).rows == ()
