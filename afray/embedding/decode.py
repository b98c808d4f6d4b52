"""One row's bytes to pixels: upright, the whole image squashed to a square, by rules that each have a golden file.

Safe to call from any number of threads: nothing here is shared between calls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from afray.embedding import files, modes, orientation
from afray.embedding.orientation import UPRIGHT, BrokenExif
from afray.embedding.rules import DecodeRules

Remarks = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecodedImage:
    """Pixels of one row, and what a person may want to know about how they came to be."""

    pixels: NDArray[np.float32]
    """(3, S, S) in [0, 1]; may be a read-only view."""
    width: int
    height: int
    """Size of the whole image, upright."""
    orientation: int
    """EXIF orientation as stored, 1-8; 5 to 8 swap width and height."""
    remarks: Remarks = ()
    """What was read all the same: broken EXIF, an animation of which one frame was taken, clipped pixels."""


def decode_image(data: bytes, rules: DecodeRules) -> DecodedImage:
    """Pixels of an image file. Raises RowUnreadable with the reason if it cannot be read whole."""
    image = files.open_image(data, rules.max_pixels)
    modes.check_mode(image.mode)
    animation = ("the first of several frames is used",) if files.is_animated(image) else ()
    stored, damage = _load_with_orientation(image, data)
    try:
        # Pillow itself turns a TIFF upright while loading it.
        upright = image if isinstance(image, TiffImageFile) else orientation.turn_upright(image, stored)
        if modes.is_wide(image.mode):
            pixels, clipping = modes.convert_wide(upright, modes.find_bounds(image, rules.pixel_range), rules)
        else:
            pixels, clipping = modes.convert_narrow(upright, rules), ()
    except (OSError, ValueError) as error:
        raise files.unreadable(data, error) from error
    width, height = upright.size
    remarks = animation + damage + clipping
    return DecodedImage(pixels=pixels, width=width, height=height, orientation=stored, remarks=remarks)


def _load_with_orientation(image: ImageFile.ImageFile, data: bytes) -> tuple[int, Remarks]:
    """Decode all pixels; the orientation as stored, and a remark if it was unreadable.

    A TIFF forgets its tag while loading, a PNG may carry its EXIF block behind the pixels.
    """
    tag = image.tag_v2.get(orientation.ORIENTATION_TAG, UPRIGHT) if isinstance(image, TiffImageFile) else None
    files.load_pixels(image, data)
    try:
        if tag is not None:
            return orientation.checked(tag), ()
        exif = image.info.get("exif")
        return (orientation.read_orientation(exif) if exif else UPRIGHT), ()
    except BrokenExif as error:
        return UPRIGHT, (f"{error}; the image is taken as upright",)
