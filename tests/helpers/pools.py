"""Small real pools in every format, written by the libraries that users write theirs with."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from afray.storage.store import ObjectInfo, Store


@dataclass(frozen=True)
class PoolAt:
    """The part of spec.pool that reading needs."""

    uri: str
    format: str


@dataclass
class OpenFence:
    """A fence that nobody has passed."""

    epoch: int = 1

    def check(self) -> None:
        """Agree."""


def png(seed: int, size: int = 4) -> bytes:
    """A small PNG of random colours: another one for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write_objects(store: Store, objects: Mapping[str, bytes]) -> None:
    for key, content in objects.items():
        assert store.create(key, content), f"{key} is there already"


def write_images(store: Store, keys: Iterable[str]) -> dict[str, bytes]:
    """Write one image per key; returns the bytes by key."""
    images = {key: png(seed) for seed, key in enumerate(keys)}
    write_objects(store, images)
    return images


def parquet_bytes(columns: Mapping[str, object], *, rows_per_group: int | None = None, **options: Any) -> bytes:
    """A parquet file of columns (lists or Arrow arrays)."""
    buffer = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), buffer, row_group_size=rows_per_group, **options)
    return buffer.getvalue()


def vector_column(vectors: NDArray[np.floating], *, fixed: bool = False, kind: pa.DataType | None = None) -> pa.Array:
    """Rows of an (n, D) array as a list column."""
    numbers = pa.array(vectors.ravel(), kind or pa.float32())
    dimension = vectors.shape[1]
    if fixed:
        return pa.FixedSizeListArray.from_arrays(numbers, dimension)
    offsets = pa.array(np.arange(0, len(numbers) + 1, dimension, dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, numbers)


def tar_bytes(members: Sequence[tuple[str, bytes]], *, format: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of regular files; a name that ends in a slash is a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class RecordingStore(Store):
    """A real store that notes what was asked of it, and can be told to fail."""

    requests: list[tuple[str, str]]
    listed: list[str]
    bytes_read: list[int]
    refusals: dict[str, Exception]
    """Raised for reads of these keys; the key * stands for every other one."""

    @classmethod
    def watch(cls, store: Store) -> RecordingStore:
        """Open the same store once more."""
        watched = cls(*store.__getstate__())
        watched.requests, watched.listed, watched.bytes_read, watched.refusals = [], [], [], {}
        return watched

    def read(self, key: str, *, etag: str | None = None) -> bytes:
        self._note("read", key)
        content = super().read(key, etag=etag)
        self.bytes_read.append(len(content))
        return content

    def read_range(self, key: str, start: int, length: int, *, etag: str | None = None) -> bytes:
        self._note("read_range", key)
        content = super().read_range(key, start, length, etag=etag)
        self.bytes_read.append(len(content))
        return content

    def list(self, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
        self.requests.append(("list", after))
        for entry in super().list(prefix, after):
            self.listed.append(entry.key)
            yield entry

    def _note(self, kind: str, key: str) -> None:
        self.requests.append((kind, key))
        if refusal := self.refusals.get(key, self.refusals.get("*")):
            raise refusal
