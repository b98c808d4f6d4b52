"""The first rows of a pool as the job will see them: read, decoded, with their labels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from afray.api.job import JobSpec
from afray.embedding.decode import decode_image
from afray.embedding.rules import DecodeRules, parse_background
from afray.errors import PoolError
from afray.pool.labels import read_labels
from afray.pool.listing import open_pool
from afray.pool.rows import Reason, RowUnreadable
from afray.pool.samples import Sample, sample


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRow:
    """One row of the pool."""

    id: str
    place: str
    """The object, member or table row that it comes from."""
    size_bytes: int
    content: str
    """What it holds, such as `28 x 28 image -> 3 x 64 x 64`; empty if it cannot be read."""
    label: str | None
    """From pool.labels."""
    reason: str | None = None
    """Why the job would put it into quarantine."""
    remark: str | None = None
    """More about the reason, or what was odd but readable."""


def read_rows(spec: JobSpec, count: int) -> tuple[SampleRow, ...]:
    """The first `count` rows of the pool; unreadable ones have a reason.

    Raises PoolError if none of them is readable or the label file is unusable, StorageError where access fails.
    """
    samples = sample(spec.pool, open_pool(spec.pool), count)
    labels = read_labels(spec.pool.labels) if spec.pool.labels else {}
    rows = tuple(_rows(spec, samples, labels))
    if all(row.reason for row in rows):
        raise PoolError(
            f"spec.pool.uri: none of the first {len(rows)} rows at {spec.pool.uri} is readable; {rows[0].id!r} is "
            f"{rows[0].reason} ({rows[0].remark}). Check spec.pool.uri and spec.pool.format {spec.pool.format}"
        )
    return rows


def _rows(spec: JobSpec, samples: list[Sample], labels: Mapping[str, str]) -> Iterator[SampleRow]:
    decode = spec.pool.decode
    decode_rules = DecodeRules(
        image_size=spec.embedding.image_size,
        pixel_range=decode.pixel_range or "dtype",
        background=parse_background(decode.background),
        max_pixels=decode.max_pixels,
    )
    for found in samples:
        content, reason, remark = "", None, None
        try:
            if spec.pool.format == "embeddings":
                content = _vector(found)
            else:
                content, remark = _image(found, decode_rules)
        except RowUnreadable as problem:
            reason, remark = str(problem.reason), problem.detail
        yield SampleRow(
            id=found.id,
            place=found.place,
            size_bytes=len(found.content),
            content=content,
            label=labels.get(found.id),
            reason=reason,
            remark=remark,
        )


def _image(found: Sample, decode_rules: DecodeRules) -> tuple[str, str | None]:
    if found.problem is not None:
        raise found.problem
    image = decode_image(found.content, decode_rules)
    shape = " x ".join(map(str, image.pixels.shape))
    return f"{image.width} x {image.height} image -> {shape}", "; ".join(image.remarks) or None


def _vector(found: Sample) -> str:
    numbers = memoryview(found.content).cast("f")
    if not all(map(math.isfinite, numbers)):
        raise RowUnreadable(Reason.non_finite, "the vector holds NaN, an infinity or no number")
    return f"vector of {len(numbers)} numbers"
