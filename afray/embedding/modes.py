"""The mode table: how each kind of pixel becomes red, green and blue in [0, 1].

    1  L                      grey, repeated three times
    LA  PA  RGBA  RGBa        alpha over the declared background; so is a transparent colour of 1, L, P, RGB
    P  RGBX  CMYK  YCbCr      red, green, blue by the plain formula; colour profiles are ignored
    I;16*  I  F               grey by the declared range, in float, clipped; never by Image.convert, which whitens them
    anything else             quarantined

8-bit images are resized in 8 bits (as the encoders were trained), the wide ones in float. One representation leaves
this module: float32 of shape (3, S, S).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from afray.embedding.rules import DecodeRules, PixelRange
from afray.pool.rows import Reason, RowUnreadable

GREY = frozenset({"1", "L"})
COLOUR = frozenset({"P", "RGB", "RGBX", "CMYK", "YCbCr"})
ALPHA = frozenset({"LA", "PA", "RGBA", "RGBa"})
WIDE = frozenset({"I;16", "I;16L", "I;16B", "I;16N", "I", "F"})

CLIPPED_SHARE = 0.01
"""Share of pixels outside the declared range from which a row says so."""

BITS_TAG, FORMAT_TAG, SIGNED = 258, 339, 2
"""TIFF: BitsPerSample, SampleFormat and its value for signed integers."""

Bounds = tuple[float, float]


def check_mode(mode: str) -> None:
    """Raises RowUnreadable(unsupported-mode) for a mode outside the table."""
    if mode not in GREY | COLOUR | ALPHA | WIDE:
        raise RowUnreadable(Reason.unsupported_mode, f"pixels of mode {mode} are not read")


def is_wide(mode: str) -> bool:
    """Whether the declared range applies."""
    return mode in WIDE


def find_bounds(image: Image.Image, declared: PixelRange) -> Bounds:
    """Values of a wide image, as opened, that become 0 and 1. Raises RowUnreadable if `dtype` says nothing of use."""
    if declared != "dtype":
        return declared
    if image.mode == "F":
        return 0.0, 1.0
    bits, is_signed = _integer_type(image)
    if bits > 16:
        raise RowUnreadable(
            Reason.unsupported_mode,
            f"{bits}-bit integers span too wide a range to show anything; declare spec.pool.decode.pixelRange",
        )
    return (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if is_signed else (0.0, 2.0**bits - 1)


def convert_narrow(image: Image.Image, rules: DecodeRules) -> NDArray[np.float32]:
    """Pixels (3, S, S) of an upright 8-bit image."""
    side = (rules.image_size, rules.image_size)
    squashed = _to_grey_or_rgb(image, rules.background).resize(side, Image.Resampling.BICUBIC)
    pixels = np.divide(np.asarray(squashed), np.float32(255), dtype=np.float32)
    return pixels.transpose(2, 0, 1) if pixels.ndim == 3 else _repeat_grey(pixels)


def convert_wide(image: Image.Image, bounds: Bounds, rules: DecodeRules) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Pixels (3, S, S) of an upright wide image, and a remark if many of its values lie outside of `bounds`."""
    low, high = bounds
    # float32 holds 16-bit integers exactly, 32-bit ones it does not.
    values: NDArray[np.floating] = np.asarray(image, dtype=np.float64 if image.mode == "I" else np.float32)
    if not np.isfinite(values).all():
        raise RowUnreadable(Reason.non_finite, "some pixels are not finite numbers")
    clipped = np.count_nonzero((values < low) | (values > high)) / values.size
    unit = np.clip((values - low) / (high - low), 0.0, 1.0).astype(np.float32)
    side = (rules.image_size, rules.image_size)
    squashed = np.asarray(Image.fromarray(unit).resize(side, Image.Resampling.BICUBIC))
    if clipped < CLIPPED_SHARE:
        return _repeat_grey(np.clip(squashed, 0.0, 1.0)), ()
    remark = f"{clipped:.0%} of the pixels lie outside the range {low:g} to {high:g}"
    return _repeat_grey(np.clip(squashed, 0.0, 1.0)), (remark,)


def _repeat_grey(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.broadcast_to(grey, (3, *grey.shape))


def _to_grey_or_rgb(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    if image.has_transparency_data:
        canvas = Image.new("RGB", image.size, background)
        layer = image.convert("RGBA")
        canvas.paste(layer, mask=layer)
        return canvas
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode in GREY else "RGB")


def _integer_type(image: Image.Image) -> tuple[int, bool]:
    """Bits and signedness as stored. Outside TIFF, Pillow stretches what it calls wide to 16 bits."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return 16, False
    (bits, *_), (kind, *_) = image.tag_v2.get(BITS_TAG, (16,)), image.tag_v2.get(FORMAT_TAG, (1,))
    return int(bits), kind == SIGNED
