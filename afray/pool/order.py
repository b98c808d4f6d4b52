"""Numbering the rows of a catalogue: sorted by id, repeated ids refused, addresses put into the index's form."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from afray.errors import PoolError
from afray.pool.rows import ADDRESS_SCHEMA, DIMENSION
from afray.pool.scans import Catalogue
from afray.storage.store import ObjectInfo, Store

_OWN_COLUMNS = ("offset", "length", "row_group", "row")


def sorted_rows(catalogue: Catalogue, source: Store) -> pa.Table:
    """All rows in the order of ids: whole numbers by value, text by UTF-8 bytes. At least one table has rows.

    Raises PoolError if files disagree on the type of ids, or the length or precision of vectors, or repeat an id.
    """
    tables = [table for table in catalogue.rows if len(table)]
    places = Places(catalogue.files, source)
    _require_one_id_type(tables, places)
    # A scan that an older version left has no column `bits`.
    rows = pa.concat_tables(tables, promote_options="default").combine_chunks()
    rows = rows.take(pc.sort_indices(rows["id"]))
    _require_unique_ids(rows, places)
    _require_one_precision(rows, places)
    return _with_one_dimension(rows, places)


def addresses(rows: pa.Table, files: pa.Table) -> pa.Table:
    """Rows of a catalogue as ADDRESS_SCHEMA."""
    of_file = {name: files[name].take(rows["file"]) for name in ("key", "size", "etag")}
    own = {name: rows[name] for name in _OWN_COLUMNS if name in rows.schema.names}
    columns = {"id": rows["id"], **of_file, **own}
    if "uri" in rows.schema.names:
        is_cell = pc.is_null(rows["uri"])
        # An image that is only named was never listed: its size and etag are unknown.
        columns = {name: pc.if_else(is_cell, column, None) for name, column in columns.items()}
        columns |= {"id": rows["id"], "key": pc.coalesce(rows["uri"], of_file["key"])}
    arrays = [
        columns[field.name].cast(field.type) if field.name in columns else pa.nulls(len(rows), field.type)
        for field in ADDRESS_SCHEMA
    ]
    return pa.table(arrays, schema=_schema(rows))


def image_addresses(images: Sequence[ObjectInfo]) -> pa.Table:
    """Listed images, whose ids are their keys, as ADDRESS_SCHEMA."""
    keys = [image.key for image in images]
    columns = {
        "id": keys,
        "key": keys,
        "size": [image.size for image in images],
        "etag": [image.etag for image in images],
    }
    arrays = [pa.array(columns.get(field.name, [None] * len(keys)), field.type) for field in ADDRESS_SCHEMA]
    return pa.table(arrays, schema=ADDRESS_SCHEMA)


def _schema(rows: pa.Table) -> pa.Schema:
    """ADDRESS_SCHEMA; for vectors, readers find their length in its metadata."""
    if "dimension" not in rows.schema.names:
        return ADDRESS_SCHEMA
    return ADDRESS_SCHEMA.with_metadata({DIMENSION: str(rows["dimension"][0].as_py())})


class Places:
    """Names of the places of rows, for messages."""

    def __init__(self, files: pa.Table, source: Store) -> None:
        self._files, self._source = files, source

    def name(self, rows: pa.Table, position: int) -> str:
        """Where one row of a catalogue lies."""
        row = rows.slice(position, 1).to_pylist()[0]
        file = self._source.address(self._files["key"][row["file"]].as_py())
        if "member" in row:
            return f"{file}, member {row['id']}.{row['member']}"
        return f"{file}, row group {row['row_group']}, row {row['row']}"


def _require_one_id_type(tables: list[pa.Table], places: Places) -> None:
    first = tables[0]
    for table in tables:
        kinds = [part.schema.field("id").type for part in (first, table)]
        if kinds[0] != kinds[1]:
            raise PoolError(
                f"ids are {kinds[0]} in {places.name(first, 0)}, but {kinds[1]} in {places.name(table, 0)}. "
                "Store all ids as text, or all as whole numbers"
            )


def _require_unique_ids(rows: pa.Table, places: Places) -> None:
    ids = rows["id"].combine_chunks()
    is_repeated = pc.equal(ids[1:], ids[:-1])
    count = pc.sum(is_repeated).as_py() or 0
    if not count:
        return
    second = pc.index(is_repeated, True).as_py() + 1
    raise PoolError(
        f"id {ids[second].as_py()!r} is repeated: {places.name(rows, second - 1)}; {places.name(rows, second)} "
        f"({count} repeats in all). Every row needs its own id; a webdataset's is the path up to the first dot of the "
        "member's name, with one image each"
    )


def _require_one_precision(rows: pa.Table, places: Places) -> None:
    if "bits" not in rows.schema.names:
        return
    bits = rows["bits"].combine_chunks()
    found = pc.unique(bits.drop_null()).to_pylist()
    if len(found) > 1:
        examples = [f"float{size} in {places.name(rows, pc.index(bits, size).as_py())}" for size in found[:2]]
        raise PoolError(
            f"vectors differ in precision: {'; '.join(examples)}. Rows rounded differently have distances that mean "
            "nothing: store the output of one model as float32 in all files"
        )


def _with_one_dimension(rows: pa.Table, places: Places) -> pa.Table:
    """Check that all vectors have one length, and note it also where a file has null vectors alone."""
    if "dimension" not in rows.schema.names:
        return rows
    dimensions = rows["dimension"].combine_chunks()
    found = pc.unique(dimensions.drop_null()).to_pylist()
    if not found:
        raise PoolError(f"every vector is null, as in {places.name(rows, 0)}. Store one vector in each row")
    if 0 in found:
        empty = places.name(rows, pc.index(dimensions, 0).as_py())
        raise PoolError(f"vectors are empty lists, as in {empty}. Store the same number of floats in each row")
    if len(found) > 1:
        examples = [f"{size} in {places.name(rows, pc.index(dimensions, size).as_py())}" for size in found[:2]]
        raise PoolError(f"vectors differ in length: {'; '.join(examples)}. Store vectors of one model in one pool")
    column = rows.schema.get_field_index("dimension")
    return rows.set_column(column, "dimension", pc.fill_null(dimensions, found[0]))
