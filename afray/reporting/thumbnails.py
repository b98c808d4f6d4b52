"""Small pictures for the report, safe to put into a page: encoded here, from pixels, at a bounded size.

Bytes of the pool itself never enter the page: a file may be huge, or something else than it says.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

EDGE = 128
"""Longest side in pixels."""
_PLAIN_EDGE = 48
"""Up to this edge PNG is small enough, and JPEG would smear the few pixels there are."""
_QUALITY = 82


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """An encoded picture of at most EDGE x EDGE pixels."""

    media_type: str
    content: bytes
    width: int
    height: int

    @property
    def data_uri(self) -> str:
        """The picture as a source that needs no request."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.content).decode('ascii')}"


def encode(pixels: NDArray[np.uint8] | NDArray[np.float32]) -> Thumbnail:
    """The thumbnail of an upright picture (3, H, W): uint8, or float32 in [0, 1]. Smaller pictures keep their size."""
    if pixels.ndim != 3 or pixels.shape[0] != 3:
        raise ValueError(f"pixels must be (3, H, W), not {pixels.shape}")
    levels = pixels if pixels.dtype == np.uint8 else np.round(np.clip(pixels.astype(np.float64), 0, 1) * 255)
    picture = Image.fromarray(np.ascontiguousarray(levels.transpose(1, 2, 0), np.uint8))
    picture.thumbnail((EDGE, EDGE), Image.Resampling.LANCZOS)
    kind, media_type = ("PNG", "image/png") if max(picture.size) <= _PLAIN_EDGE else ("JPEG", "image/jpeg")
    buffer = io.BytesIO()
    picture.save(buffer, kind, quality=_QUALITY, optimize=True)
    return Thumbnail(media_type, buffer.getvalue(), *picture.size)
