"""The prepared features of a pool as one memory-mapped file per node, filled shard by shard on first use.

Every process of a node maps the same file, so the pool is in memory once however many workers there are. A shard is
prepared (kept rows only, normalised) from its committed vectors by whoever needs it first; two workers that prepare
the same shard write the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from afray.embedding.normalization import Normalizer
from afray.errors import Retryable
from afray.runtime.vectors import VectorShard, read_kept

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureFile:
    """Where the prepared rows of a pool are, and how to make them. Picklable; the map is opened per process."""

    path: str
    """File on node-local disk, named by the content it will hold."""
    dim: int
    shards: Sequence[VectorShard]
    normalizer: Normalizer

    @cached_property
    def starts(self) -> I64:
        """Row number of each shard's first kept row, and N at the end."""
        return np.cumsum([0, *(shard.kept_count for shard in self.shards)]).astype(np.int64)

    @cached_property
    def _map(self) -> F32:
        rows = int(self.starts[-1])
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        with Path(self.path).open("ab") as file:
            _reserve(file, rows * self.dim * 4)
        return np.memmap(self.path, np.float32, "r+", shape=(rows, self.dim))

    def rows(self, start: int, stop: int) -> F32:
        """Rows start..stop-1, without a copy: (stop - start, D)."""
        first, last = np.searchsorted(self.starts, [start, stop - 1], side="right") - 1
        for number in range(int(first), int(last) + 1):
            self._fill(number)
        return self._map[start:stop]

    def take(self, rows: I64) -> F32:
        """A copy of any rows, in the order asked for: (len(rows), D)."""
        for number in np.unique(np.searchsorted(self.starts, rows, side="right") - 1):
            self._fill(int(number))
        taken: F32 = np.asarray(self._map[rows])
        return taken

    def _fill(self, number: int) -> None:
        if number in self._filled:
            return
        mark = Path(f"{self.path}.{number}.filled")
        if not mark.exists():
            shard = self.shards[number]
            prepared = self.normalizer.apply(read_kept(shard))
            self._map[self.starts[number] : self.starts[number + 1]] = prepared
            mark.touch()
        self._filled.add(number)

    @cached_property
    def _filled(self) -> set[int]:
        return set()

    def __getstate__(self) -> dict[str, object]:
        # The map and the caches belong to one process.
        names = ("path", "dim", "shards", "normalizer")
        return {name: self.__dict__[name] for name in names}


def _reserve(file: IO[bytes], size: int) -> None:
    """Make the file that long, with room for all of it: a page of a map that finds no room kills its process."""
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)
    except OSError as error:
        raise Retryable(
            f"{file.name}: no room for the pool's features, {size / 2**20:,.1f} MiB ({error.strerror}). Free space "
            "there, or set TMPDIR to a larger disk of this machine, and run again: finished work is kept"
        ) from error
