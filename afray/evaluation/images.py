"""Labelled images for the finetune: the selected ones in memory, a held-out set read and decoded as it is asked for.

Both are read by rows 0..n-1 of their own labels, whatever their pool ids are.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from afray.embedding.decode import decode_image
from afray.embedding.rules import DecodeRules
from afray.errors import PoolError
from afray.evaluation.labels import I64, Labels
from afray.pool.readers import open_rows
from afray.pool.rows import Pool, RowReader, RowUnreadable
from afray.storage.store import Store

STORAGE = torch.float16
"""Pixels in [0, 1] kept in memory: finer than 8 bits, at half the size of what the network takes."""
PIECE = 256
"""Images read at once, as float32, on their way into memory."""


class Images(Protocol):
    """Images with one label each."""

    @property
    def labels(self) -> Labels:
        """Class names (n,)."""
        ...

    def read(self, start: int, stop: int) -> Tensor:
        """Images start..stop-1 as (stop - start, 3, S, S) floats in [0, 1]."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImagesInMemory:
    """Decoded images (n, 3, S, S) in [0, 1] and their class names (n,), in ascending pool id."""

    pixels: Tensor
    labels: Labels

    def __post_init__(self) -> None:
        assert len(self.pixels) == len(self.labels), f"{len(self.pixels)} images, {len(self.labels)} labels"

    def read(self, start: int, stop: int) -> Tensor:
        """Images start..stop-1."""
        return self.pixels[start:stop]

    def take(self, rows: I64) -> ImagesInMemory:
        """The given images alone."""
        return ImagesInMemory(pixels=self.pixels[torch.from_numpy(rows)], labels=self.labels[rows])


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredImages:
    """Images of a pool, decoded anew whenever they are read; picklable, so training workers read for themselves."""

    labels: Labels
    pool: Pool
    source: Store
    addresses: pa.Table
    """Rows of the pool's index (ROW_SCHEMA), one per label, in ascending pool id."""
    rules: DecodeRules
    field: str
    """Where the manifest names the pool, for messages."""
    threads: int = 4

    def read(self, start: int, stop: int) -> Tensor:
        """Images start..stop-1; raises PoolError if one of them is gone or changed since it was embedded."""
        with ThreadPoolExecutor(self.threads) as threads:
            return torch.stack(list(threads.map(self._decode, range(start, stop))))

    def _decode(self, position: int) -> Tensor:
        try:
            pixels = decode_image(self._reader.read(position), self.rules).pixels
        except RowUnreadable as error:
            row_id = self.addresses["id"][position].as_py()
            raise PoolError(
                f"{self.field}: row {row_id!r} of {self.source.uri} has a label and could be read when it was "
                f"embedded, but not any more ({error}). Restore it, or leave its label out of the label file; then run "
                "again"
            ) from error
        return torch.from_numpy(np.array(pixels))  # a copy: torch wants to be able to write

    @cached_property
    def _reader(self) -> RowReader:
        return open_rows(self.pool, self.source, self.addresses)

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name != "_reader"}


def load(images: Images) -> ImagesInMemory:
    """Read all of them, once."""
    total = len(images.labels)
    pieces = [images.read(at, min(at + PIECE, total)).to(STORAGE) for at in range(0, total, PIECE)]
    return ImagesInMemory(pixels=torch.cat(pieces), labels=images.labels)
