"""Reading the addresses of all rows out of the files of a pool, a few files at a time, so that a stop costs little.

    <name>/files      which files there were, with sizes and etags: listed once
    <name>/scan-<n>   the rows of the next files in that order, committed as soon as they would fill a shard

Parquet, embeddings and webdataset pools need this step because their rows are numbered in the order of ids, which no
file knows alone. The ids of all rows are in memory at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from afray.pool.naming import Ignored
from afray.pool.rows import Progress, StoredFile
from afray.pool.tables import Workspace

_FILES_SCHEMA = pa.schema([("key", pa.large_string()), ("size", pa.int64()), ("etag", pa.large_string())])

_READERS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """The rows of one file: column id (int64 or large_string) and where each lies; and what was left out."""

    rows: pa.Table
    ignored: Ignored


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """All rows of a pool by file; column `file` is the number of a row's file in `files`.

    Tables may differ in the type of their ids.
    """

    files: pa.Table
    rows: tuple[pa.Table, ...]
    ignored: Ignored

    @property
    def count(self) -> int:
        """Rows in all files."""
        return sum(len(table) for table in self.rows)


class _FilesFacts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    ignored: dict[str, int]


class _ScanFacts(_FilesFacts):
    next_file: int


def gather(
    workspace: Workspace,
    listing: Callable[[Ignored], Iterator[StoredFile]],
    scan_file: Callable[[StoredFile], Scan],
    *,
    batch_rows: int,
    progress: Progress,
) -> Catalogue:
    """Scan every file of the listing, or go on after the last committed batch of files.

    `scan_file` runs in threads; `progress` gets the rows found so far.
    """
    files, ignored = _list_once(workspace, listing)
    tables: list[pa.Table] = []
    next_file = 0
    while result := workspace.committed(f"scan-{len(tables):05d}"):
        facts = _ScanFacts.model_validate(result.facts)
        next_file = facts.next_file
        ignored.merge(Ignored(facts.ignored))
        tables.append(workspace.read(result))
    count = sum(len(table) for table in tables)
    progress(count, 0)
    with _scanning(scan_file, files.slice(next_file)) as scans:
        for table, facts in _batches(_counting(scans, count, progress), next_file, batch_rows):
            workspace.commit(f"scan-{len(tables):05d}", table, facts)
            ignored.merge(Ignored(facts.ignored))
            tables.append(table)
    return Catalogue(files, tuple(tables), ignored)


def table_of_files(files: Iterable[StoredFile]) -> pa.Table:
    """Return the files by number: key, size, etag."""
    return pa.Table.from_pylist([asdict(file) for file in files], _FILES_SCHEMA)


def with_file(rows: pa.Table, number: int) -> pa.Table:
    """Add the column that tells the rows' file."""
    return rows.append_column("file", pa.array(np.full(len(rows), number, np.int32)))


def _list_once(workspace: Workspace, listing: Callable[[Ignored], Iterator[StoredFile]]) -> tuple[pa.Table, Ignored]:
    """Return the table of files (key, size, etag) as it was first listed, and what was left out."""
    result = workspace.committed("files")
    if result is None:
        ignored = Ignored()
        files = table_of_files(listing(ignored))
        if not len(files):
            return files, ignored  # not committed: an empty pool may be filled before the next run
        result = workspace.commit("files", files, _FilesFacts(ignored=ignored.counts))
    return workspace.read(result), Ignored(_FilesFacts.model_validate(result.facts).ignored)


@contextmanager
def _scanning(scan_file: Callable[[StoredFile], Scan], files: pa.Table) -> Iterator[Iterator[Scan]]:
    """Give the scans of the files, in their order; files not yet begun are dropped at an error."""
    readers = ThreadPoolExecutor(_READERS, thread_name_prefix="scan")
    try:
        yield readers.map(scan_file, [StoredFile(**file) for file in files.to_pylist()])
    finally:
        readers.shutdown(cancel_futures=True)


def _counting(scans: Iterable[Scan], count: int, progress: Progress) -> Iterator[Scan]:
    for scan in scans:
        count += len(scan.rows)
        progress(count, 0)
        yield scan


def _batches(scans: Iterable[Scan], first_file: int, batch_rows: int) -> Iterator[tuple[pa.Table, _ScanFacts]]:
    """Join scans until they hold `batch_rows`, or until the next one has ids of another type."""
    filling: list[pa.Table] = []
    ignored = Ignored()
    number = first_file
    for number, scan in enumerate(scans, first_file):
        table = with_file(scan.rows, number)
        if filling and filling[0].schema != table.schema:
            yield pa.concat_tables(filling), _ScanFacts(next_file=number, ignored=ignored.counts)
            filling, ignored = [], Ignored()
        filling.append(table)
        ignored.merge(scan.ignored)
        if sum(len(part) for part in filling) >= batch_rows:
            yield pa.concat_tables(filling), _ScanFacts(next_file=number + 1, ignored=ignored.counts)
            filling, ignored = [], Ignored()
    if filling:
        yield pa.concat_tables(filling), _ScanFacts(next_file=number + 1, ignored=ignored.counts)
