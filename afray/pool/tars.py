"""The members of a tar in a store, found by its headers alone.

A tar has no table of contents: the scan walks from header to header by range requests and skips the bytes between,
except where members are smaller than the window that one request fetches anyway.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator

import pyarrow as pa

from afray.errors import PoolError
from afray.pool import naming
from afray.pool.naming import Ignored
from afray.pool.ranges import RangeFile
from afray.pool.rows import StoredFile
from afray.pool.scans import Scan
from afray.storage.store import Store

WINDOW = 64 * 1024
"""Bytes fetched around a header: below this size of members, a request costs more than the bytes it would save."""

_REMEDY = "The tar is truncated or damaged, so its rows are unknown: write it again, or move it out of the pool"

_SCHEMA = pa.schema(
    [("id", pa.large_string()), ("member", pa.large_string()), ("offset", pa.int64()), ("length", pa.int64())]
)

_END_BYTES = 1024 * 1024
"""How far behind the end mark data are looked for; writers pad with at most some 10 KiB of zeros."""


def scan(source: Store, file: StoredFile, *, limit: int | None = None) -> Scan:
    """List the image members of a tar: id, member (its ending), offset, length; `limit` ends the look early.

    Raises PoolError for a tar that is truncated, damaged, or continued behind its end mark: nobody knows its rows.
    """
    ignored = Ignored()
    found: list[tuple[str, str, int, int]] = []
    for member in _members(source, file):
        if member.isdir() or not _is_row(member, ignored):
            continue
        _require_text(source.address(file.key), member.name)
        found.append((*naming.sample_key(member.name), member.offset_data, member.size))
        if len(found) == limit:
            break
    columns = list(zip(*found, strict=True)) or [()] * len(_SCHEMA)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, _SCHEMA, strict=True)]
    return Scan(pa.table(arrays, schema=_SCHEMA), ignored)


def _members(source: Store, file: StoredFile) -> Iterator[tarfile.TarInfo]:
    headers = RangeFile(source, file, window=WINDOW)
    try:
        with tarfile.open(fileobj=headers, mode="r:") as tar:
            while (member := tar.next()) is not None:
                yield member
                tar.members.clear()  # type: ignore[attr-defined]  # else every header seen stays in memory
            _require_end(headers, file, tar.offset)
    except tarfile.TarError as error:
        raise PoolError(f"{source.address(file.key)}: {error}. {_REMEDY}") from error


def _require_end(headers: RangeFile, file: StoredFile, offset: int) -> None:
    """A tar ends in zeros; tarfile itself stops without a word at a damaged header or at the seam of joined tars."""
    headers.seek(offset)
    mark = headers.read(tarfile.BLOCKSIZE)
    if len(mark) < tarfile.BLOCKSIZE:
        raise tarfile.ReadError(f"no end mark at byte {offset}")
    if any(mark):
        raise tarfile.ReadError(f"no header at byte {offset}")
    if any(headers.read(min(_END_BYTES, file.size - headers.tell()))):
        raise tarfile.ReadError(f"data behind the end mark at byte {offset}, as in joined tars")


def _is_row(member: tarfile.TarInfo, ignored: Ignored) -> bool:
    if not member.isreg() or member.issparse():
        ignored.add_kind("links and special members")
    elif naming.is_hidden(member.name.removeprefix("./")):
        ignored.add_kind(naming.HIDDEN)
    elif naming.suffix(member.name) not in naming.IMAGE_SUFFIXES:
        ignored.add_name(member.name)
    else:
        return True
    return False


def _require_text(place: str, name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise PoolError(f"{place}: member {name!r} has a name that is not UTF-8. Rename it: ids are text") from None
