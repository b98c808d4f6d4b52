from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest
from helpers.pools import parquet_bytes
from helpers.s3_server import S3Server

from afray.errors import IntegrityError, PoolError
from afray.pool.answers import Answers
from afray.pool.findings import Finding
from afray.pool.labels import check_known, parse_answers, read_answers, read_labels
from afray.storage.store import ObjectMissing, Store


@dataclass(frozen=True)
class FileAt:
    uri: str
    format: str


def store(folder: Path, content: bytes, kind: str) -> FileAt:
    path = folder / f"labels.{kind}"
    path.write_bytes(content)
    return FileAt(str(path), kind)


def read(folder: Path, content: bytes, kind: str = "csv") -> dict[str, str]:
    return read_labels(store(folder, content, kind))


def answers(folder: Path, content: bytes, kind: str = "csv", sha256: str | None = None) -> Answers:
    return read_answers(store(folder, content, kind), sha256=sha256)


@pytest.mark.parametrize(
    "content",
    [
        b"id,label\na/1.png,cat\n2,\xc3\xa4\n",
        b"\xef\xbb\xbfid,label\r\na/1.png,cat\r\n2,\xc3\xa4\r\n",
        b'"id","label"\n"a/1.png","cat"\n\n"2","\xc3\xa4"',
        b"who,label,note,id\nme,cat,,a/1.png\nyou,\xc3\xa4,,2\n",
        b"id,label\na/1.png,cat\n2,\xc3\xa4\na/1.png,cat\n",
    ],
    ids=["plain", "BOM and CRLF", "quoted", "more columns", "the same line twice"],
)
def test_csv_gives_labels_by_id(content: bytes, tmp_path: Path) -> None:
    assert read(tmp_path, content) == {"a/1.png": "cat", "2": "ä"}


def test_csv_fields_may_hold_commas_quotes_and_line_breaks(tmp_path: Path) -> None:
    content = b'id,label\n"a,1.png","6"" pipe"\nb,"two\nlines"\n'

    assert read(tmp_path, content) == {"a,1.png": '6" pipe', "b": "two\nlines"}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "column id is missing; found: nothing"),
        (b"id,label\n", "no labels in it"),
        (b"name,label\na,b\n", "column id is missing; found: 'name', 'label'"),
        (b"id;label\na;b\n", "column id is missing; found: 'id;label'.*commas"),
        (b"id,label,label\na,b,c\n", "column label is there twice"),
        (b"id,label\na,cat\n\na,dog\n", r"line 4: id 'a' has label 'dog', and label 'cat' further up"),
        (b"id,label\na,\n", r"line 2: the label of 'a' is empty"),
        (b"id,label\na,  \n", r"line 2: the label of 'a' is empty"),
        (b"id,label\n,cat\n", r"line 2: the id is empty"),
        (b"id,label\na,cat\nb,cat, big\n", r"line 3: 3 fields, the header has 2"),
        (b"id,label\na\n", r"line 2: 1 fields, the header has 2"),
        (b'id,label\na,"cat\nb,dog\n', r"line 3: not CSV"),
        (b'id,label\na,"cat"x\n', r"line 2: not CSV"),
        ("id,label\na,straße\n".encode("latin-1"), r"line 2: byte 0xdf is not UTF-8"),
        ("id,label\na,cat\n".encode("utf-16"), r"line 1: byte 0xff is not UTF-8"),
    ],
)
def test_a_csv_that_cannot_be_trusted_is_refused_where_it_is_wrong(
    content: bytes, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(PoolError, match=rf"labels\.csv.*{complaint}"):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("ids", "labels"),
    [
        (["7", "8"], ["0", "1"]),
        ([7, 8], [0, 1]),
        (pa.array(["7", "8"]).dictionary_encode(), pa.array(["0", "1"], pa.large_string())),
    ],
    ids=["text", "numbers", "categories"],
)
def test_parquet_gives_labels_by_id_as_text(ids: object, labels: object, tmp_path: Path) -> None:
    content = parquet_bytes({"extra": [1.5, 2.5], "label": labels, "id": ids})

    assert read(tmp_path, content, "parquet") == {"7": "0", "8": "1"}


STATUSES = b"status,id,label\nlabelled,a,cat\n,b,dog\nskipped,c,\nunsure,d,\nskipped,e,cat\n"


def test_a_status_says_which_rows_were_looked_at_without_getting_a_label(tmp_path: Path) -> None:
    found = answers(tmp_path, STATUSES)

    assert found == Answers(
        labels={"a": "cat", "b": "dog"}, skipped=frozenset({"c", "e"}), unsure=frozenset({"d"}), listed=5
    )
    assert found.ids == ("a", "b", "c", "d", "e")


def test_a_status_may_be_in_a_table_too(tmp_path: Path) -> None:
    content = parquet_bytes(
        {
            "id": [7, 8, 9],
            "label": pa.array(["cat", None, None]),
            "status": pa.array([None, "skipped", "unsure"]).dictionary_encode(),
        }
    )

    assert answers(tmp_path, content, "parquet") == Answers(
        labels={"7": "cat"}, skipped=frozenset({"8"}), unsure=frozenset({"9"}), listed=3
    )


def test_without_a_status_every_row_is_labelled(tmp_path: Path) -> None:
    found = answers(tmp_path, b"id,label\na,cat\nb,skipped\n")

    assert found == Answers(labels={"a": "cat", "b": "skipped"}, listed=2)


def test_the_status_of_labels_known_beforehand_means_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, b"id,label,status,status\na,cat,archived,skipped\n") == {"a": "cat"}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"id,label,status\na,cat,Skipped\n", "line 2: the status of 'a' is 'Skipped'. Use labelled, skipped, unsure"),
        (b"id,label,status\na,,labelled\n", "line 2: the label of 'a' is empty"),
        (b"id,label,status\na,,\n", "line 2: the label of 'a' is empty"),
        (b"id,label,status\n,,skipped\n", "line 2: the id is empty"),
        (b"id,label,status\na,cat,\na,,skipped\n", "line 3: id 'a' has status skipped, and label 'cat' further up"),
        (b"id,label,status\na,,unsure\na,,skipped\n", "line 3: id 'a' has status skipped, and status unsure further"),
        (b"id,label,status,status\na,cat,,\n", "column status is there twice"),
        (b"id,label,annotator,annotator\na,cat,,\n", "column annotator is there twice"),
        (
            b"id,label,annotator,labelled_at\na,cat,ann,noon\n",
            "line 2: labelled_at of 'a' is 'noon'. Write a time such as 2026-11-24T09:00:00Z",
        ),
        (b"id,status\na,skipped\n", "column label is missing"),
        (b"id,label,status\na,,skipped\nb,,unsure\n", r"no labels in it \(2 rows are skipped or unsure\)"),
        (b"id,label\n", "no labels in it. Add"),
    ],
)
def test_answers_that_cannot_be_trusted_are_refused_where_they_are_wrong(
    content: bytes, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(PoolError, match=rf"labels\.csv.*{complaint}"):
        answers(tmp_path, content)


SEVERAL = (
    "id,label,status,annotator,labelled_at\n"
    "a,dog,,ann,2026-11-24T12:00:00Z\na,cat,,ann,2026-11-24T09:00:00+00:00\na,dog,,ben,\na,cat,,cem,\n"
    "b,cat,,ann,\nb,dog,,ben,\n"
    "c,,unsure,ann,\nc,,skipped,ben,\n"
    "d,,skipped,ann,\nd,cat,,ben,\n"
    "e,cat,,,\ne,dog,,,\n"
    "f,cat,,ann,2026-11-24T09:00:00\nf,dog,,ann,2026-11-24 10:00:00\n"
)


def test_several_people_may_answer_a_row_where_a_column_names_them(tmp_path: Path) -> None:
    found = answers(tmp_path, SEVERAL.encode())

    assert found.labels == {"a": "dog", "d": "cat", "f": "dog"}
    assert (found.unsure, found.skipped, found.listed) == (frozenset("bce"), frozenset[str](), 14)
    assert found.disputed == {"a": "1 'cat', 2 'dog'", "b": "1 'cat', 1 'dog'", "e": "1 'cat', 1 'dog'"}


def test_without_times_what_a_person_said_last_in_the_file_counts(tmp_path: Path) -> None:
    assert answers(tmp_path, b"id,label,annotator\na,cat,ann\na,dog,ann\n").labels == {"a": "dog"}


def test_a_column_of_annotators_that_nobody_has_filled_in_says_nothing(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match=r"line 3: id 'a' has label 'dog', and label 'cat' further up"):
        answers(tmp_path, b"id,label,annotator\na,cat,\na,dog,\n")


def test_annotators_and_times_may_be_in_a_table_too(tmp_path: Path) -> None:
    noon = pa.array([datetime(2026, 11, 24, 12), datetime(2026, 11, 24, 9)], pa.timestamp("us", "UTC"))
    content = parquet_bytes({"id": ["a", "a"], "label": ["dog", "cat"], "annotator": [7, 7], "labelled_at": noon})

    assert answers(tmp_path, content, "parquet").labels == {"a": "dog"}


def test_annotators_of_labels_known_beforehand_mean_nothing(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match=r"line 3: id 'a' has label 'dog', and label 'cat' further up\. Keep one$"):
        read(tmp_path, b"id,label,annotator\na,cat,ann\na,dog,ben\n")


def test_whoever_listens_hears_of_every_faulty_line_and_gets_the_answers_of_the_others(tmp_path: Path) -> None:
    content = b"id,label,status\na,cat,\na,dog,\n,cat,\nb,,\nc,cat,Skipped\nd,cat\ne,dog,\n"
    faults: list[Finding] = []

    found = parse_answers(store(tmp_path, content, "csv"), "labels.csv", content, complain=faults.append)

    assert found.labels == {"a": "cat", "e": "dog"}
    assert [(fault.where, list(fault.rows)) for fault in faults] == [
        ("line 3", ["a"]),
        ("line 4", []),
        ("line 5", ["b"]),
        ("line 6", ["c"]),
        ("line 7", []),
    ]
    assert all(fault.problem and fault.remedy for fault in faults)


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"id": ["a"], "class": ["x"]}, "column label is missing; found: 'id', 'class'"),
        ({"id": ["a"], "label": [0.5]}, "column label is double"),
        ({"id": ["a"], "label": pa.array([None], pa.string())}, "row 0: the label of 'a' is empty"),
        ({"id": ["a", "a"], "label": ["x", "y"]}, "row 1: id 'a' has label 'y', and label 'x' further up"),
        ({"id": pa.array([], pa.string()), "label": pa.array([], pa.string())}, "no labels in it"),
    ],
)
def test_a_table_that_cannot_be_trusted_is_refused(columns: dict[str, object], complaint: str, tmp_path: Path) -> None:
    with pytest.raises(PoolError, match=rf"labels\.parquet.*{complaint}"):
        read(tmp_path, parquet_bytes(columns), "parquet")


def test_a_csv_is_no_parquet(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match="cannot be read as parquet"):
        read(tmp_path, b"id,label\na,b\n", "parquet")


def test_a_digest_that_fits_is_accepted_in_any_case(tmp_path: Path) -> None:
    content = b"id,label\na,b\n"

    found = answers(tmp_path, content, sha256=hashlib.sha256(content).hexdigest().upper())

    assert found.labels == {"a": "b"}


def test_other_bytes_than_the_spec_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"its sha256 is [0-9a-f]{64}, and the spec says 0{64}"):
        answers(tmp_path, b"id,label\na,b\n", sha256="0" * 64)


def test_a_missing_file_is_an_error_of_the_store(tmp_path: Path) -> None:
    with pytest.raises(ObjectMissing, match=r"none\.csv"):
        read_labels(FileAt(str(tmp_path / "none.csv"), "csv"))


@pytest.mark.s3
def test_labels_are_read_from_a_bucket(s3_server: S3Server) -> None:
    bucket = s3_server.new_bucket()
    Store.open(bucket, environment=s3_server.environment).create("known/labels.csv", b"id,label\na,b\n")

    assert read_labels(FileAt(f"{bucket}/known/labels.csv", "csv"), s3_server.environment) == {"a": "b"}


def test_labels_of_known_rows_pass_though_others_have_none() -> None:
    check_known({"b": "x", "a": "y"}, iter(["a", "b", "c"]), field="spec.labels")


def test_unknown_ids_are_counted_and_five_of_them_named() -> None:
    labels = {"a.png": "x"} | {f"wrong-{number}": "x" for number in range(7)}

    with pytest.raises(
        PoolError, match=r"7 of 8 ids are unknown: 'wrong-0',.*'wrong-4' and 2 more\. .*like 'a\.png'"
    ) as error:
        check_known(labels, ["a.png", "b.png"], field="spec.labels")
    assert "wrong-5" not in str(error.value)
