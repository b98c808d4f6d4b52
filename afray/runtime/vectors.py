"""Committed raw vectors of one shard, and how to read them back."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.storage.commits import Blob, read_blob
from afray.storage.store import Store

F32 = NDArray[np.float32]
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


def pack(vectors: F32) -> bytes:
    """The .npy bytes of (n, D) float32 vectors."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(vectors, np.float32), allow_pickle=False)
    return buffer.getvalue()


def read_vectors(store: Store, blob: Blob) -> F32:
    """All stored vectors of a shard: (n, D) float32. Raises IntegrityError when the bytes changed."""
    vectors: F32 = np.load(io.BytesIO(read_blob(store, blob)), allow_pickle=False)
    return vectors


def read_kept(shard: VectorShard) -> F32:
    """Raw vectors of the kept rows: (kept, D) float32. Raises IntegrityError when the bytes changed."""
    vectors = read_vectors(shard.store, shard.blob)
    return vectors if shard.kept_count == len(vectors) else vectors[shard.kept]
