"""EXIF orientation: the one tag of EXIF that changes pixels.

Read by hand from the first directory, because the general EXIF reader of Pillow keeps quiet about most damage, while a
row whose orientation could not be read should say so.
"""

from __future__ import annotations

import struct
from types import MappingProxyType

from PIL import Image

UPRIGHT = 1
ORIENTATION_TAG = 0x0112
SHORT, LONG = 3, 4

TRANSPOSITIONS = MappingProxyType(
    {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
)
"""What undoes each orientation; 1 is upright."""


class BrokenExif(ValueError):
    """The EXIF block cannot be read; the pixels can."""


def read_orientation(exif: bytes) -> int:
    """Orientation 1-8 of an EXIF block (with or without its `Exif` header), 1 if it has none.

    Raises BrokenExif if the block is damaged or the value is none of the eight.
    """
    block = exif.removeprefix(b"Exif\0\0")
    try:
        return _find_orientation(block, {b"II": "<", b"MM": ">"}[block[:2]])
    except (struct.error, KeyError) as error:
        raise BrokenExif(f"the EXIF block of {len(exif)} bytes is damaged") from error


def checked(value: object) -> int:
    """`value` as one of the eight orientations. Raises BrokenExif otherwise."""
    if isinstance(value, int) and 1 <= value <= 8:
        return value
    raise BrokenExif(f"the EXIF orientation is {value!r}, not 1 to 8")


def turn_upright(image: Image.Image, orientation: int) -> Image.Image:
    """`image` as it is meant to be seen."""
    return image if orientation == UPRIGHT else image.transpose(TRANSPOSITIONS[orientation])


def _find_orientation(block: bytes, order: str) -> int:
    magic, directory = struct.unpack_from(f"{order}HI", block, 2)
    if magic != 42:
        raise BrokenExif(f"the EXIF block starts with {magic} instead of 42")
    (entries,) = struct.unpack_from(f"{order}H", block, directory)
    for entry in range(directory + 2, directory + 2 + 12 * entries, 12):
        tag, kind = struct.unpack_from(f"{order}HH", block, entry)
        if tag == ORIENTATION_TAG:
            if kind not in (SHORT, LONG):
                raise BrokenExif(f"the EXIF orientation has type {kind} instead of {SHORT}")
            return checked(*struct.unpack_from(f"{order}{'H' if kind == SHORT else 'I'}", block, entry + 8))
    return UPRIGHT
