"""What a row of a pool is: its address, the ways it can be unreadable, and how its bytes are asked for.

Every format ends in the same table of addresses, so that everything after the index knows one kind of row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import pyarrow as pa

from afray.errors import AfrayError

ROW_SCHEMA = pa.schema(
    [
        pa.field("pool_id", pa.int64(), nullable=False),  # contiguous from 0, in the order of ids
        pa.field("id", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),  # object that holds the row: relative to the pool, or absolute
        pa.field("size", pa.int64()),  # of the object, as listed; null if the object was never listed
        pa.field("etag", pa.string()),
        pa.field("offset", pa.int64()),  # webdataset: the member's bytes within the tar
        pa.field("length", pa.int64()),
        pa.field("row_group", pa.int32()),  # parquet and embeddings: the cell's place within the file
        pa.field("row", pa.int32()),
    ]
)
"""One row of the index. Null where a format has no such thing."""


ADDRESS_SCHEMA = ROW_SCHEMA.remove(0)
"""A row before it has its pool id: all that its address is made of."""

DIMENSION = "dimension"
"""Metadata of a part of an embeddings pool: numbers per vector."""

Progress = Callable[[int, int], None]
"""progress(done, total) in rows; the total is 0 while nobody knows it. The caller throttles."""

FORMATS = ("images", "parquet", "webdataset", "embeddings")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An object of the pool as the index saw it; whoever reads it asks for these very bytes."""

    key: str
    size: int
    etag: str | None


@dataclass(frozen=True, slots=True)
class Address:
    """One row of the index, as ADDRESS_SCHEMA has it."""

    id: str
    key: str
    size: int | None
    etag: str | None
    offset: int | None
    length: int | None
    row_group: int | None
    row: int | None


class Pool(Protocol):
    """What this package needs to know of `spec.pool` (and of `spec.evaluation`)."""

    @property
    def uri(self) -> str:
        """Where the pool lies."""
        ...

    @property
    def format(self) -> str:
        """One of images, parquet, webdataset, embeddings."""
        ...


class Reason(StrEnum):
    """Why a row is in quarantine."""

    missing = "missing"  # listed by the index, gone (or null) when read
    changed = "changed"  # another size or etag than the index saw
    denied = "denied"  # the store refuses this object, but gives others
    empty = "empty"
    not_an_image = "not-an-image"
    truncated = "truncated"
    too_large = "too-large"
    unsupported_mode = "unsupported-mode"
    broken = "broken"
    non_finite = "non-finite"
    zero_vector = "zero-vector"


class RowUnreadable(AfrayError):
    """One row cannot be used; the others can. `detail` is a sentence for the quarantine file."""

    def __init__(self, reason: Reason, detail: str) -> None:
        # All arguments go to Exception, or unpickling in another process fails.
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


class RowReader(Protocol):
    """The bytes of the rows of one part, in any order and from any thread."""

    def read(self, position: int) -> bytes:
        """Bytes of the row at `position` of the part.

        Raises RowUnreadable if this row is lost for good, Retryable if the store is not answering, and any other
        StorageError if no row of the part can be read.
        """
        ...
