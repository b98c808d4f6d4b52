"""Blocks about rows: the pool, its decode rules, label files and the held-out set."""

from __future__ import annotations

import math
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from afray.api.block import Block
from afray.api.cel import Checked, Rule
from afray.api.locations import File, Prefix
from afray.api.problems import broken
from afray.api.texts import Colour

PoolFormat = Literal["images", "parquet", "webdataset", "embeddings"]
LabelFormat = Literal["csv", "parquet"]
LARGEST_PIXEL: Final = 2.0**32
PIXEL_RANGE: Final = Rule(
    rule="self.size() != 2 || self[0] < self[1]",
    problem="is not a range of pixel values",
    remedy="Write [low, high] with low < high, such as [0, 4095] for 12 bits in 16, or leave it out.",
)


def check_pixel_range(value: object) -> object:
    """Return the pair as a tuple of floats; raises a broken rule."""
    if not isinstance(value, (list, tuple)) or len(value) != 2 or not all(_is_number(end) for end in value):
        raise broken("", value, "is not a pair of numbers", PIXEL_RANGE.remedy)
    low, high = value
    if not -LARGEST_PIXEL <= low < high <= LARGEST_PIXEL:
        raise broken("", value, PIXEL_RANGE.problem, PIXEL_RANGE.remedy)
    return float(low), float(high)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


PixelValue = Annotated[float, Field(ge=-LARGEST_PIXEL, le=LARGEST_PIXEL)]
PixelRange = Annotated[tuple[PixelValue, PixelValue], BeforeValidator(check_pixel_range), Checked(PIXEL_RANGE)]


class LabelsSpec(Block):
    """A file that gives rows their classes: columns `id` and `label`."""

    uri: File
    """The label file."""
    format: LabelFormat
    """csv (UTF-8, with a header) or parquet."""


class DecodeSpec(Block):
    """How stored pixels become numbers from 0 to 1."""

    pixel_range: PixelRange | None = None
    """For 16-bit and float images: [low, high], the pixel values that become 0 and 1; by default the limits of the
    stored type."""
    background: Colour = "#ffffff"
    """The colour under transparent pixels."""
    max_pixels: int = Field(100_000_000, ge=1, le=10_000_000_000)
    """Larger images are quarantined before they are decoded."""


class PoolSpec(Block):
    """All rows that may be chosen."""

    uri: Prefix
    """The folder or prefix that holds the rows, nested ones included. It is only read."""
    format: PoolFormat
    """images: one object a row, its id is the key below uri. parquet: columns `id` and `image` (bytes) or `uri`.
    webdataset: tar files, one image a sample. embeddings: parquet, columns `id` and `embedding` (list of float32)."""
    labels: LabelsSpec | None = None
    """Classes known beforehand, for finetune, evaluation and bench. The selection never sees them."""
    decode: DecodeSpec = DecodeSpec()
    """How pixels are read; not for embeddings."""
    max_bad_fraction: float = Field(0.01, ge=0, lt=1)
    """Share of rows that may be unreadable (they are quarantined with a reason) before the job fails."""


class EvaluationSpec(Block):
    """A labelled set that the selection never sees: metrics are taken there."""

    uri: Prefix
    """The folder or prefix that holds the held-out rows; apart from the pool."""
    format: PoolFormat
    """As the pool's: embeddings if the pool holds embeddings, images in any form otherwise."""
    labels: LabelsSpec
    """The classes of the held-out rows."""
