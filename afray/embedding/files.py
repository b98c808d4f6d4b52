"""Opening image files: which formats, within which size, and what each way of failing means for the row.

Image libraries raise anything on damaged input, so this is the one place that catches everything: a row may be bad, a
run may not end because of it.
"""

from __future__ import annotations

import io
import struct
import warnings

from PIL import Image, ImageFile, UnidentifiedImageError

from afray.pool.rows import Reason, RowUnreadable

FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000", "AVIF")
"""Formats told by their first bytes. Nothing that runs another program (EPS) and nothing that guesses (TGA)."""

# Plugins are registered once and here, not by the first thread that meets a new format.
Image.init()
# The limit of Pillow is one number for the whole process; ours comes with the rules of each call, before decoding.
Image.MAX_IMAGE_PIXELS = None
# Pillow warns about metadata, which no pixel depends on, by way of a global registry; rows carry remarks instead.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def open_image(data: bytes, max_pixels: int) -> ImageFile.ImageFile:
    """Header of an image file; no pixel is decoded yet.

    Raises RowUnreadable: empty, not-an-image, truncated, unsupported-mode, broken, too-large.
    """
    if not data:
        raise RowUnreadable(Reason.empty, "the row has no bytes")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise _unidentified(data) from error
    except Exception as error:
        raise unreadable(data, error) from error
    width, height = image.size
    if width * height > max_pixels:
        raise RowUnreadable(
            Reason.too_large,
            f"{width} x {height} pixels are more than {max_pixels}; raise spec.pool.decode.maxPixels to read it",
        )
    return image


def load_pixels(image: ImageFile.ImageFile, data: bytes) -> None:
    """Decode all pixels of the first frame. Raises RowUnreadable: truncated, broken."""
    try:
        image.load()
    except Exception as error:
        raise unreadable(data, error) from error


def is_animated(image: ImageFile.ImageFile) -> bool:
    """Whether more frames follow the first. A second frame that cannot be read counts as none."""
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:
        return False


def unreadable(data: bytes, error: Exception) -> RowUnreadable:
    """The quarantine entry for what an image library raised. Lack of memory is no fault of the row: it propagates."""
    if isinstance(error, MemoryError):
        raise error
    told = f"{type(error).__name__}: {error}"
    is_cut = isinstance(error, EOFError | struct.error) or any(word in str(error) for word in ("runcated", "only got"))
    if is_cut or _ends_early(data):
        return RowUnreadable(Reason.truncated, f"the file of {len(data)} bytes ends early ({told})")
    return RowUnreadable(Reason.broken, f"the file cannot be decoded ({told})")


def _unidentified(data: bytes) -> RowUnreadable:
    """Ask the format that the first bytes belong to what it dislikes; Pillow keeps that to itself."""
    for name in FORMATS:
        open_format, accepts = Image.OPEN[name]
        if accepts is not None and accepts(data[:16]) is True:
            try:
                open_format(io.BytesIO(data), "")
            except Exception as error:
                if "unknown pixel mode" in str(error):
                    return RowUnreadable(Reason.unsupported_mode, f"the {name} file has pixels of an unknown kind")
                return unreadable(data, error)
    return RowUnreadable(Reason.not_an_image, f"{len(data)} bytes of none of the formats {', '.join(FORMATS)}")


def _ends_early(data: bytes) -> bool:
    """Whether a container announces more bytes than there are (WebP: its length; TIFF: where its directory lies)."""
    if data[:4] == b"RIFF":
        return len(data) < 8 + int.from_bytes(data[4:8], "little")
    orders = {b"II*\0": "little", b"MM\0*": "big"}
    match orders.get(data[:4]):
        case "little":
            return len(data) < 2 + int.from_bytes(data[4:8], "little")
        case "big":
            return len(data) < 2 + int.from_bytes(data[4:8], "big")
    return False
