"""What is handed to people who label, and what comes back of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from helpers.label_studio import export_imported, make_annotation

from afray.errors import PoolError
from afray.pool.answers import Answers
from afray.pool.findings import refusing
from afray.pool.label_studio import read as read_export
from afray.pool.labels import read_answers
from afray.reporting import handover, tables
from afray.reporting.handover import handover_files

JOB = "weld-pilot#" + "a" * 64


def make_selection(ids: list[str]) -> pa.Table:
    count = len(ids)
    empty = pa.nulls(count, pa.float64())
    columns = {
        "id": ids,
        "uri": [f"s3://plant/welds/{row_id}" for row_id in ids],
        "kind": ["core" if row % 2 == 0 else "boundary" for row in range(count)],
        "rank": list(range(count)),
        "cluster": ids,
        "score": empty,
        "opponent": pa.nulls(count, pa.string()),
        "distance": empty,
        "sha256": pa.nulls(count, pa.string()),
    }
    return pa.table(columns, tables.SELECTION_SCHEMA)


def hand_over(ids: list[str], *, own_objects: bool = True) -> dict[str, bytes]:
    return handover_files(make_selection(ids), np.full(len(ids), own_objects), JOB)


HARD_IDS = ["a.png", 'größe  1, "%41" #日本.png', "=1+1", "007", "line-2/b'c.png", "two\nlines"]


def test_tasks_carry_id_rank_kind_and_job_in_their_data() -> None:
    tasks = json.loads(hand_over(HARD_IDS)["handover/label-studio/tasks-00001.json"])
    assert tasks[1] == {
        "data": {
            "image": f"s3://plant/welds/{HARD_IDS[1]}",
            "afray_id": HARD_IDS[1],
            "afray_kind": "boundary",
            "afray_rank": 1,
            "afray_job": JOB,
        }
    }
    assert [task["data"]["afray_rank"] for task in tasks] == [*range(6)]


def test_a_row_that_is_no_object_of_its_own_is_given_no_picture() -> None:
    (task,) = json.loads(hand_over(["a"], own_objects=False)["handover/label-studio/tasks-00001.json"])
    assert "image" not in task["data"]


@pytest.mark.parametrize(("rows", "sizes"), [(0, []), (1, [1]), (5000, [5000]), (12_001, [5000, 5000, 2001])])
def test_a_file_holds_five_thousand_rows_at_most(rows: int, sizes: list[int]) -> None:
    files = hand_over([f"{row:05d}.png" for row in range(rows)])
    names = [[f"handover/{kind}-{number:05d}" for number in range(1, len(sizes) + 1)] for kind in KINDS]
    assert [
        [name.rpartition(".")[0] for name in files if name.startswith(f"handover/{kind}")] for kind in KINDS
    ] == names
    for name, content in files.items():
        size = sizes[int(name[-10:-5] if name.endswith(".json") else name[-9:-4]) - 1]
        assert len(json.loads(content) if name.endswith(".json") else read_csv(content)) == size


KINDS = ("label-studio/tasks", "csv/rows")


def read_csv(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_the_same_selection_gives_the_same_bytes() -> None:
    assert hand_over(HARD_IDS) == hand_over(HARD_IDS)


def come_back(files: Mapping[str, bytes], say: Callable[[str], list[dict[str, object]]]) -> Answers:
    tasks = [task for name in sorted(files) if name.endswith(".json") for task in json.loads(files[name])]
    return read_export("export.json", export_imported(tasks, say), refusing("export.json"))


def test_what_label_studio_exports_for_imported_tasks_is_read_by_id() -> None:
    files = hand_over(HARD_IDS)

    def say(row_id: str) -> list[dict[str, object]]:
        if row_id == "007":
            return [make_annotation(skipped=True, result=[])]
        if row_id == "=1+1":
            return [make_annotation("good"), make_annotation("burr", by=2)]
        return [] if row_id == "a.png" else [make_annotation("good")]

    answers = come_back(files, say)

    assert answers.labels == dict.fromkeys([HARD_IDS[1], HARD_IDS[4], HARD_IDS[5]], "good")
    assert (answers.skipped, answers.unsure, answers.listed) == (frozenset({"007"}), frozenset({"=1+1"}), 5)


def test_tasks_of_several_files_are_one_project() -> None:
    ids = [f"{row:05d}.png" for row in range(5003)]

    answers = come_back(hand_over(ids), lambda _: [make_annotation("good")])

    assert list(answers.labels) == ids


def write_form(folder: Path, content: bytes, filled: Mapping[str, str]) -> str:
    """The form as a spreadsheet saves it: other quotes, a byte order mark, CRLF."""
    rows = [line | {"label": filled.get(line["id"], "")} for line in read_csv(content)]
    path = folder / "filled.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, handover.CSV_SCHEMA.names, lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


class Filled:
    """The file as a spec names it."""

    format = "csv"

    def __init__(self, uri: str) -> None:
        self.uri = uri


def test_a_form_that_was_filled_in_is_read_by_id(tmp_path: Path) -> None:
    form = hand_over(HARD_IDS)["handover/csv/rows-00001.csv"]

    answers = read_answers(Filled(write_form(tmp_path, form, dict.fromkeys(HARD_IDS, "good"))))

    assert answers.labels == dict.fromkeys(HARD_IDS, "good")


def test_a_row_that_was_left_empty_is_named(tmp_path: Path) -> None:
    form = hand_over(["a.png", "b.png"])["handover/csv/rows-00001.csv"]

    with pytest.raises(PoolError, match=r"line 3: the label of 'b\.png' is empty\. Fill it in, or remove the row"):
        read_answers(Filled(write_form(tmp_path, form, {"a.png": "good"})))
