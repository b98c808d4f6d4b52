"""The first few rows of a pool, read at once: no index, no listing to the end, however large the pool is."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa

from afray.pool import listing, order
from afray.pool.formats import SCANNERS
from afray.pool.naming import Ignored
from afray.pool.readers import open_rows
from afray.pool.rows import ADDRESS_SCHEMA, Pool, RowReader, RowUnreadable, StoredFile
from afray.pool.scans import Catalogue, table_of_files, with_file
from afray.pool.vectors import read_vectors
from afray.storage.store import Store

Content = tuple[bytes, RowUnreadable | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One row as `afray validate` shows it."""

    id: str
    place: str
    """File, member or row that it comes from."""
    content: bytes
    """Image file; of an embeddings pool, float32 numbers."""
    problem: RowUnreadable | None
    """Why the content is empty."""


def sample(pool: Pool, source: Store, count: int, *, environment: Mapping[str, str] | None = None) -> list[Sample]:
    """Read the first `count` rows as they lie in the pool, fewer if it has fewer; `source` is `open_pool(pool)`.

    Raises PoolError and StorageError as `build_index` does for what these rows show.
    """
    ignored = Ignored()
    if pool.format == "images":
        images = itertools.islice(listing.list_images(source, ignored), count)
        part = order.image_addresses(list(images))
        places = [source.address(key) for key in part["key"].to_pylist()]
    else:
        part, places = _first_of_files(pool, source, count, ignored)
    if not len(part):
        raise listing.empty_pool(pool, source, ignored)
    if pool.format == "embeddings":
        contents = _vectors(pool, source, part)
    else:
        contents = _images(open_rows(pool, source, part, environment=environment), len(part))
    return [
        Sample(id=id_, place=place, content=content, problem=problem)
        for id_, place, (content, problem) in zip(part["id"].to_pylist(), places, contents, strict=True)
    ]


def _first_of_files(pool: Pool, source: Store, count: int, ignored: Ignored) -> tuple[pa.Table, list[str]]:
    """Addresses and places of the first rows, in the order of ids; only the files that hold them are opened."""
    files: list[StoredFile] = []
    tables: list[pa.Table] = []
    left = count
    for file in listing.list_files(pool, source, ignored):
        scan = SCANNERS[pool.format](source, file, limit=left)
        ignored.merge(scan.ignored)
        tables.append(with_file(scan.rows, len(files)))
        files.append(file)
        left -= len(scan.rows)
        if left <= 0:
            break
    if left == count:
        return ADDRESS_SCHEMA.empty_table(), []
    catalogue = Catalogue(table_of_files(files), tuple(tables), ignored)
    rows = order.sorted_rows(catalogue, source)
    places = order.Places(catalogue.files, source)
    return order.addresses(rows, catalogue.files), [places.name(rows, position) for position in range(len(rows))]


def _images(reader: RowReader, count: int) -> Iterator[Content]:
    for position in range(count):
        try:
            yield reader.read(position), None
        except RowUnreadable as problem:
            yield b"", problem


def _vectors(pool: Pool, source: Store, part: pa.Table) -> Iterator[Content]:
    for vector in read_vectors(pool, source, part):
        yield vector.tobytes(), None
