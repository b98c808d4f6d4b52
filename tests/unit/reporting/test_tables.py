import csv
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from afray.algorithms.selection import Selection, plain
from afray.errors import IntegrityError
from afray.reporting import tables
from afray.reporting.tables import RowNames

NAMES = RowNames(
    rows=np.array([3, 5, 8, 9]),
    ids=pa.array(["3.png", 'five "5",\n.png', "acht ü.png", "9.png"]),
    uris=pa.array(["s3://p/3", "s3://p/5", "s3://p/8", "s3://p/9"]),
    sha256=pa.array(["aa", "bb", None, "dd"]),
)
SELECTION = Selection(
    rows=np.array([5, 3]),
    is_core=np.array([True, False]),
    cluster=np.array([5, 5]),
    distance=np.array([0.0, 0.25]),
    score=np.array([np.nan, -0.5]),
    opponent=np.array([-1, 8]),
    excluded_rows=np.array([8, 9]),
    excluded_cluster=np.array([5, 5]),
    excluded_density=np.array([0.75, np.nan]),
    excluded_limit=np.array([0.5, np.nan]),
)


def test_the_selection_table_speaks_of_ids_and_leaves_missing_values_null() -> None:
    assert tables.selection_table(SELECTION, NAMES).to_pylist() == [
        {
            "id": 'five "5",\n.png',
            "uri": "s3://p/5",
            "kind": "core",
            "rank": 0,
            "cluster": 'five "5",\n.png',
            "score": None,
            "opponent": None,
            "distance": 0.0,
            "sha256": "bb",
        },
        {
            "id": "3.png",
            "uri": "s3://p/3",
            "kind": "boundary",
            "rank": 1,
            "cluster": 'five "5",\n.png',
            "score": -0.5,
            "opponent": "acht ü.png",
            "distance": 0.25,
            "sha256": "aa",
        },
    ]


def test_the_excluded_table_gives_density_limit_cluster_and_reason() -> None:
    rows = tables.excluded_table(SELECTION, NAMES).to_pylist()
    assert [(row["id"], row["density"], row["limit"], row["reason"]) for row in rows] == [
        ("acht ü.png", 0.75, 0.5, "outlier"),
        ("9.png", None, None, "outlier"),
    ]
    assert {row["cluster"] for row in rows} == {'five "5",\n.png'}


def test_a_selection_without_clusters_makes_a_table_of_cores() -> None:
    table = tables.selection_table(plain(np.array([9, 3]), kept=4), NAMES)
    assert table["id"].to_pylist() == ["9.png", "3.png"]
    assert table["kind"].to_pylist() == ["core", "core"]
    assert table["distance"].to_pylist() == [None, None]
    assert len(tables.excluded_table(plain(np.array([9]), kept=4), NAMES)) == 0


def test_a_row_that_nobody_named_is_an_error_not_a_neighbours_name() -> None:
    with pytest.raises(KeyError, match="row 4 has no id"):
        tables.selection_table(plain(np.array([3, 4]), kept=4), NAMES)
    with pytest.raises(KeyError, match="row 10 has no id"):
        NAMES.ids_of(np.array([10]))


@pytest.mark.parametrize(
    ("table", "schema"),
    [
        (tables.selection_table(SELECTION, NAMES), tables.SELECTION_SCHEMA),
        (tables.excluded_table(SELECTION, NAMES), tables.EXCLUDED_SCHEMA),
        (tables.quarantine_table(["a"], ["u"], ["empty"], ["0 bytes"]), tables.QUARANTINE_SCHEMA),
        (tables.duplicates_table(["b"], ["u"], ["a"]), tables.DUPLICATES_SCHEMA),
        (tables.duplicates_table([], [], []), tables.DUPLICATES_SCHEMA),
    ],
)
def test_tables_survive_parquet_with_their_fixed_schema(table: pa.Table, schema: pa.Schema) -> None:
    content = tables.to_parquet(table, {"afray.selectionDigest": "abc"})
    read = tables.from_parquet(content, schema, "x.parquet")
    assert read.schema.equals(schema)
    assert read.equals(table)
    assert pq.read_metadata(io.BytesIO(content)).metadata[b"afray.selectionDigest"] == b"abc"
    assert content == tables.to_parquet(table, {"afray.selectionDigest": "abc"})


def test_the_columns_of_the_files_are_part_of_the_contract() -> None:
    assert tables.SELECTION_SCHEMA.names == [
        "id",
        "uri",
        "kind",
        "rank",
        "cluster",
        "score",
        "opponent",
        "distance",
        "sha256",
    ]
    assert tables.EXCLUDED_SCHEMA.names == ["id", "uri", "cluster", "density", "limit", "reason"]
    assert tables.QUARANTINE_SCHEMA.names == ["id", "uri", "reason", "detail"]
    assert tables.DUPLICATES_SCHEMA.names == ["id", "uri", "copy_of"]


def test_csv_is_quoted_utf8_with_lf_and_reads_back() -> None:
    content = tables.to_csv(tables.selection_table(SELECTION, NAMES))
    assert content.startswith(b'"id","uri","kind","rank","cluster","score","opponent","distance","sha256"\n')
    assert b"\r" not in content
    assert b'"3.png","s3://p/3","boundary","1",' in content
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8"), newline="")))
    assert [row["id"] for row in rows] == ['five "5",\n.png', "3.png"]
    assert [row["opponent"] for row in rows] == ["", "acht ü.png"]
    assert [row["score"] for row in rows] == ["", "-0.5"]


def test_a_value_that_must_be_there_may_not_be_null() -> None:
    with pytest.raises(ValueError, match="column reason has a row without a value"):
        tables.quarantine_table(["a"], ["u"], [None], ["0 bytes"])  # type: ignore[list-item]


def test_a_damaged_parquet_file_is_an_integrity_error_that_names_it() -> None:
    content = tables.to_parquet(tables.duplicates_table(["b"], ["u"], ["a"]))
    with pytest.raises(IntegrityError, match=r"^duplicates\.parquet: not a readable Parquet file"):
        tables.from_parquet(content[:-20], tables.DUPLICATES_SCHEMA, "duplicates.parquet")


def test_a_parquet_file_with_other_columns_is_an_integrity_error() -> None:
    content = tables.to_parquet(tables.duplicates_table(["b"], ["u"], ["a"]))
    with pytest.raises(IntegrityError, match=r"columns .*copy_of.* where .*reason"):
        tables.from_parquet(content, tables.QUARANTINE_SCHEMA, "quarantine.parquet")
