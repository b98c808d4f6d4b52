"""Images in the cells of parquet files, which can only be read by row group.

A row group is streamed once, the images of this part's rows are kept until they are read, and the rest is let go.
When the images kept exceed a limit, groups are given up, the longest unused first; their rows cost another pass.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from afray.errors import PoolError
from afray.pool import parquet
from afray.pool.rows import Address, Reason, RowUnreadable, StoredFile
from afray.storage.store import Store

KEPT_BYTES = 1024**3
"""Bound on the images kept: a shard of 10,000 images of 100 kB, which scattered rows need all at once."""

_BATCH_ROWS = 64

Images = dict[int, bytes | None]
"""Bytes by row of the group; None where the cell is null."""


@dataclass(frozen=True, slots=True)
class _Group:
    key: str
    number: int


class Cells:
    """Reads images out of parquet files, each row group once while the limit holds; for many threads."""

    def __init__(self, source: Store, addresses: Sequence[Address], *, kept_bytes: int = KEPT_BYTES) -> None:
        self._source, self._kept_bytes = source, kept_bytes
        self._wanted: dict[_Group, list[int]] = defaultdict(list)
        for address in addresses:
            if address.row_group is not None and address.row is not None:
                self._wanted[_Group(address.key, address.row_group)].append(address.row)
        self._streaming = {group: threading.Lock() for group in self._wanted}
        self._kept: dict[_Group, Images] = {}
        self._broken: dict[_Group, PoolError] = {}
        self._lock = threading.Lock()

    def read(self, address: Address) -> bytes:
        """Image of one row; raises RowUnreadable for a null cell, PoolError if its row group cannot be read."""
        assert address.row_group is not None, "a row without a row group is no cell"
        assert address.row is not None, "a row without a number is no cell"
        group = _Group(address.key, address.row_group)
        with self._streaming[group]:
            if not self._holds(group, address.row):
                self._stream(group, StoredFile(address.key, address.size or 0, address.etag))
            image = self._take(group, address.row)
        if image is None:
            raise RowUnreadable(Reason.missing, f"{self._source.address(address.key)}: the image of this row is null")
        return image

    def _holds(self, group: _Group, row: int) -> bool:
        with self._lock:
            if group in self._broken:
                raise self._broken[group]
            return row in self._kept.get(group, {})

    def _stream(self, group: _Group, file: StoredFile) -> None:
        try:
            images = self._read_group(group, file)
        except PoolError as error:
            self._broken[group] = error
            raise
        with self._lock:
            while self._kept and sum(map(_count_bytes, [*self._kept.values(), images])) > self._kept_bytes:
                self._kept.pop(next(iter(self._kept)))
            self._kept[group] = images

    def _take(self, group: _Group, row: int) -> bytes | None:
        """Give an image away: readers ask for each row once, so what was read is not worth its memory."""
        with self._lock:
            images = self._kept.pop(group)
            image = images.pop(row)
            if images:
                self._kept[group] = images  # now the last one to be given up
        return image

    def _read_group(self, group: _Group, file: StoredFile) -> Images:
        wanted = sorted(self._wanted[group])
        images: Images = {}
        start = 0
        with parquet.opened(self._source, file) as opened:
            batches = opened.iter_batches(_BATCH_ROWS, row_groups=[group.number], columns=["image"], use_threads=False)
            for batch in batches:
                column, end = batch.column(0), start + len(batch)
                images |= {row: column[row - start].as_py() for row in wanted if start <= row < end}
                start = end
                if wanted[-1] < end:
                    break
        return images


def _count_bytes(images: Images) -> int:
    return sum(len(image) for image in images.values() if image is not None)
