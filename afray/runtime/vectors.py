"""Committed raw vectors of one shard, and how to read them back."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.storage.commits import Blob, read_blob
from afray.storage.store import Store

VECTORS = "vectors.npy"
ROWS = "rows.parquet"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VectorShard:
    """One shard of embeddings: where its bytes are, and which of its rows take part in the selection."""

    store: Store
    blob: Blob
    kept: NDArray[np.int64]
    """Positions within the shard of the unique, readable rows, ascending."""

    @property
    def kept_count(self) -> int:
        return len(self.kept)


def pack(vectors: NDArray[np.float32]) -> bytes:
    """The .npy bytes of (n, D) float32 vectors."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(vectors, np.float32), allow_pickle=False)
    return buffer.getvalue()


def read_kept(shard: VectorShard) -> NDArray[np.float32]:
    """Raw vectors of the kept rows: (kept, D) float32. Raises IntegrityError when the bytes changed."""
    vectors: NDArray[np.float32] = np.load(io.BytesIO(read_blob(shard.store, shard.blob)), allow_pickle=False)
    return vectors if shard.kept_count == len(vectors) else vectors[shard.kept]
