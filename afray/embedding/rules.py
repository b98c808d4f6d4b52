"""How bytes become pixels, as data: every field changes vectors, so all of them enter the fingerprint of embeddings."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

import PIL

DECODE_VERSION = 1
"""Raise it with every change of `decode`, `modes` or `orientation` that can move a pixel."""

PixelRange = Literal["dtype"] | tuple[float, float]
"""What becomes black and white in 16-bit, 32-bit and float images: the whole range of the type, or two values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeRules:
    """`spec.pool.decode` and the image size of the encoder."""

    image_size: int
    """Side of the square in pixels."""
    pixel_range: PixelRange = "dtype"
    background: tuple[int, int, int] = (255, 255, 255)
    """Red, green and blue, 0-255, under transparent pixels."""
    max_pixels: int = 100_000_000
    """Width times height above which a row is quarantined before anything is decoded."""

    def __post_init__(self) -> None:
        assert self.image_size > 0, self.image_size
        assert self.max_pixels > 0, self.max_pixels
        assert all(0 <= channel <= 255 for channel in self.background), self.background
        assert self.pixel_range == "dtype" or self.pixel_range[0] < self.pixel_range[1], self.pixel_range

    @property
    def digest(self) -> str:
        """sha256 of everything that can move a pixel: the rules, our version of them, and Pillow's."""
        facts = {"version": DECODE_VERSION, "decoder": f"pillow {PIL.__version__}", **asdict(self)}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def parse_background(text: str) -> tuple[int, int, int]:
    """`#rrggbb` as red, green and blue."""
    red, green, blue = bytes.fromhex(text.removeprefix("#"))
    return red, green, blue
