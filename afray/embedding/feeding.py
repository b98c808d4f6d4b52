"""Threads that stay a little ahead of the model.

    part --cut--> batches of rows --tasks of a few rows--> threads: read, sha256, decode --> slots of a buffer
                                                                                               |
    model <-- one whole batch at a time, in order <--------------------------------------------+

A row belongs to its slot, so a bad row leaves zeros there and moves nobody. Buffers are reused: memory is bounded by
LOOK_AHEAD + 1 batches, whatever the size of the part.

Where model and decoding share one core, threads only read ahead, and the model's thread decodes a batch before it
computes: threads that decode would hand the interpreter lock to and fro several times per image (measured: 10 to 20 %
of all CPU time at 1 ms per image; turns under a lock still cost 4 %).
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from afray.embedding.decode import decode_image
from afray.embedding.outcomes import RowOutcome
from afray.embedding.rules import DecodeRules
from afray.pool.rows import RowReader, RowUnreadable

LOOK_AHEAD = 2
"""Batches that are decoded, or being decoded, while the model has another."""
ROWS_PER_TASK = 8
"""Small enough to spread a batch over threads, large enough that the hand-over costs nothing."""

Content = tuple[bytes, str] | RowUnreadable
"""Bytes and their sha256, or why there are none."""
ReadRows = tuple[list[Content], float]
"""Contents of a few rows, and the CPU-seconds that they took."""
Slots = NDArray[np.float32]
"""(rows, 3, S, S), channels last in memory: what the encoders want, and how images are decoded."""


class DecodedRows(NamedTuple):
    """Outcomes of a few rows, and what they took, reading included."""

    outcomes: list[RowOutcome]
    cpu_seconds: float
    read_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Consecutive rows of a part, decoded. `images` is valid until the next batch is asked for."""

    rows: range
    images: Tensor
    """(batch_size, 3, S, S) float32 in [0, 1]; zeros for bad rows and behind the last row."""
    outcomes: list[RowOutcome]
    decode_cpu_seconds: float
    read_bytes: int
    """Of the rows as they are stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """How to read and decode the rows of one part."""

    reader: RowReader
    rules: DecodeRules
    batch_size: int
    threads: int
    decodes_ahead: bool = True
    """In the threads; else in the thread that asks for batches."""
    is_pinned: bool = False
    """Buffers in page-locked memory, for a CUDA device."""

    def batches(self, row_count: int) -> Generator[Batch]:
        """All rows in order, in batches cut from `row_count` alone. Raises what the reader raises for whole stores."""
        buffers = deque(self._make_buffer() for _ in range(LOOK_AHEAD + 1))
        pending: deque[tuple[range, Tensor, list[Callable[[], DecodedRows]]]] = deque()
        threads = ThreadPoolExecutor(self.threads, thread_name_prefix="decode")
        try:
            for start in range(0, row_count, self.batch_size):
                rows = range(start, min(start + self.batch_size, row_count))
                if not buffers:
                    batch = _collect(*pending.popleft())
                    yield batch
                    buffers.append(batch.images)
                buffer = buffers.popleft()
                pending.append((rows, buffer, self._submit(threads, rows, buffer)))
            while pending:
                yield _collect(*pending.popleft())
        finally:
            threads.shutdown(cancel_futures=True)

    def _make_buffer(self) -> Tensor:
        side = self.rules.image_size
        slots = torch.zeros((self.batch_size, side, side, 3), dtype=torch.float32, pin_memory=self.is_pinned)
        return slots.permute(0, 3, 1, 2)

    def _submit(self, threads: ThreadPoolExecutor, rows: range, buffer: Tensor) -> list[Callable[[], DecodedRows]]:
        slots: Slots = buffer.numpy()
        slots[len(rows) :] = 0.0
        cuts = range(0, len(rows), ROWS_PER_TASK)
        return [self._start(threads, rows[cut : cut + ROWS_PER_TASK], slots[cut:]) for cut in cuts]

    def _start(self, threads: ThreadPoolExecutor, rows: range, slots: Slots) -> Callable[[], DecodedRows]:
        """Have `rows` read, and perhaps decoded; what is returned waits for that and does the rest."""
        if self.decodes_ahead:
            return threads.submit(lambda: self._decode(self._read(rows), slots)).result
        reading = threads.submit(self._read, rows)
        return lambda: self._decode(reading.result(), slots)

    def _read(self, rows: range) -> ReadRows:
        started = time.thread_time()
        return [_read(self.reader, row) for row in rows], time.thread_time() - started

    def _decode(self, read: ReadRows, slots: Slots) -> DecodedRows:
        """Decode into the first slots."""
        started = time.thread_time()
        contents, seconds = read
        outcomes = [_decode(content, self.rules, slot) for content, slot in zip(contents, slots, strict=False)]
        return DecodedRows(outcomes, seconds + time.thread_time() - started, _count_bytes(contents))


def _read(reader: RowReader, row: int) -> Content:
    try:
        content = reader.read(row)
    except RowUnreadable as error:
        return error
    return content, hashlib.sha256(content).hexdigest()


def _count_bytes(contents: list[Content]) -> int:
    return sum(len(content[0]) for content in contents if not isinstance(content, RowUnreadable))


def _decode(content: Content, rules: DecodeRules, slot: Slots) -> RowOutcome:
    if isinstance(content, RowUnreadable):
        slot[:] = 0.0
        return RowOutcome.bad(content, None)
    data, sha256 = content
    try:
        image = decode_image(data, rules)
    except RowUnreadable as error:
        slot[:] = 0.0
        return RowOutcome.bad(error, sha256)
    slot[:] = image.pixels
    return RowOutcome(
        sha256=sha256,
        remark="; ".join(image.remarks) or None,
        width=image.width,
        height=image.height,
        orientation=image.orientation,
    )


def _collect(rows: range, buffer: Tensor, tasks: list[Callable[[], DecodedRows]]) -> Batch:
    results = [finish() for finish in tasks]
    return Batch(
        rows=rows,
        images=buffer,
        outcomes=[outcome for decoded in results for outcome in decoded.outcomes],
        decode_cpu_seconds=sum(decoded.cpu_seconds for decoded in results),
        read_bytes=sum(decoded.read_bytes for decoded in results),
    )
