"""How an algorithm sees rows: shards to map over, and nothing else.

An algorithm is written once, as steps on one shard plus order-independent merges. `LocalShards` runs the steps in this
process; the Ray runtime runs the same steps on actors. Rows are numbered 0..N-1 over the kept rows (unique, readable)
in ascending pool id, so "the lower row" is "the lower pool id".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
Progress = Callable[[str, int, int], None]
"""progress(step, done, total), called by an algorithm as often as it likes; the caller throttles."""


def silent(step: str, done: int, total: int) -> None:
    """The Progress that reports nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """A contiguous slice of the pool's kept rows; `features` is (n, D) float32, often a read-only memory map."""

    start: int
    features: F32

    @property
    def rows(self) -> I64:
        """Row numbers of this shard."""
        return np.arange(self.start, self.start + len(self.features), dtype=np.int64)


class RowSource(Protocol):
    """Random access to rows of any shard."""

    def take(self, rows: I64) -> F32:
        """Features of `rows`, in the order asked for: (len(rows), D)."""
        ...


class Shards(RowSource, Protocol):
    """All rows of a pool, wherever they are held.

    Steps are module-level functions (they travel to other processes) and pure: a lost worker's step runs again.
    """

    @property
    def sizes(self) -> tuple[int, ...]:
        """Rows per shard, in row order."""
        ...

    @property
    def dim(self) -> int:
        """D."""
        ...

    def map(self, step: Callable[..., Any], *args: Any) -> list[Any]:
        """step(shard, *args) for every shard; results in shard order."""
        ...

    def hold(self, step: Callable[..., Any], *args: Any) -> list[Any]:
        """Like map, but results stay with the workers: opaque handles, only good as arguments of `each`
        and `hold_each`.
        """
        ...

    def each(self, step: Callable[..., Any], tasks: Sequence[Any], *args: Any) -> list[Any]:
        """step(row_source, task, *args) on any worker; started in the given order, results in that order.

        Handles (or lists of handles) among `args` arrive as the held values.
        """
        ...

    def hold_each(self, step: Callable[..., Any], tasks: Sequence[Any], *args: Any) -> list[Any]:
        """Like each, but results stay with the workers, as those of hold."""
        ...


def count_rows(shards: Shards) -> int:
    """N."""
    return sum(shards.sizes)


class LocalShards:
    """Shards in this process: an array cut into pieces, worked on by threads."""

    def __init__(self, features: F32, *, shards: int = 1, threads: int = 1) -> None:
        pieces = np.array_split(features, shards)
        starts = np.cumsum([0, *(len(piece) for piece in pieces)])
        self._features = features
        self._shards = [Shard(int(start), piece) for start, piece in zip(starts, pieces, strict=False)]
        self._threads = threads

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(len(shard.features) for shard in self._shards)

    @property
    def dim(self) -> int:
        return int(self._features.shape[1])

    def take(self, rows: I64) -> F32:
        return self._features[rows]

    def map(self, step: Callable[..., Any], *args: Any) -> list[Any]:
        return self._run([partial(step, shard, *args) for shard in self._shards])

    def hold(self, step: Callable[..., Any], *args: Any) -> list[Any]:
        return self.map(step, *args)

    def each(self, step: Callable[..., Any], tasks: Sequence[Any], *args: Any) -> list[Any]:
        return self._run([partial(step, self, task, *args) for task in tasks])

    def hold_each(self, step: Callable[..., Any], tasks: Sequence[Any], *args: Any) -> list[Any]:
        return self.each(step, tasks, *args)

    def _run(self, calls: list[Callable[[], Any]]) -> list[Any]:
        # One BLAS thread per worker thread: two pools of threads on the same cores halve each other.
        with threadpool_limits(1), ThreadPoolExecutor(self._threads) as pool:
            return list(pool.map(lambda call: call(), calls))
