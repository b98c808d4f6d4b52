"""Image files written byte by byte from known arrays, so that a test of our decoding does not ask Pillow what is right.

PNG, APNG, TIFF and GIF have writers here; JPEG and WebP come from Pillow, on flat or lossless pixels.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.generic]
Order = Literal["<", ">"]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6


def exif_block(orientation: int, order: Order = "<") -> bytes:
    """An EXIF block (without the `Exif` header) that holds an orientation and nothing else."""
    return tiff_header(order) + struct.pack(f"{order}HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)


def tiff_header(order: Order) -> bytes:
    return (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)


def png(
    samples: Array,
    colour: int,
    *,
    bits: int = 8,
    palette: Array | None = None,
    transparency: bytes = b"",
    exif: bytes = b"",
    frames: Sequence[Array] = (),
    claimed: tuple[int, int] | None = None,
) -> bytes:
    """A PNG of (H, W) or (H, W, C) samples; `frames` make it animated; `claimed` lies about (width, height)."""
    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", *(claimed or (width, height)), bits, colour, 0, 0, 0)
    chunks = [(b"IHDR", header)]
    if frames:
        chunks.append((b"acTL", struct.pack(">II", 1 + len(frames), 0)))
    if palette is not None:
        chunks.append((b"PLTE", palette.astype(np.uint8).tobytes()))
    if transparency:
        chunks.append((b"tRNS", transparency))
    if frames:
        chunks.append((b"fcTL", _frame_control(0, width, height)))
    chunks.append((b"IDAT", zlib.compress(_scanlines(samples, bits), 0)))
    for number, frame in enumerate(frames):
        chunks.append((b"fcTL", _frame_control(1 + 2 * number, width, height)))
        content = zlib.compress(_scanlines(frame, bits), 0)
        chunks.append((b"fdAT", struct.pack(">I", 2 + 2 * number) + content))
    if exif:
        chunks.append((b"eXIf", exif))
    return PNG_SIGNATURE + b"".join(_chunk(kind, content) for kind, content in [*chunks, (b"IEND", b"")])


def _frame_control(sequence: int, width: int, height: int) -> bytes:
    return struct.pack(">IIIIIHHBB", sequence, width, height, 0, 0, 1, 10, 0, 0)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _scanlines(samples: Array, bits: int) -> bytes:
    rows = samples.reshape(samples.shape[0], -1)
    if bits == 1:
        packed: Array = np.packbits(rows.astype(np.uint8), axis=1)
    else:
        packed = rows.astype(">u2" if bits == 16 else "u1")
    return b"".join(b"\0" + row.tobytes() for row in packed)


def tiff(
    samples: Array, order: Order = "<", *, photometric: int = 1, orientation: int = 1, packs_12_bits: bool = False
) -> bytes:
    """An uncompressed TIFF of (H, W) or (H, W, C) samples of any integer or float type; H W even to pack 12 bits."""
    height, width = samples.shape[:2]
    depth = samples.shape[2] if samples.ndim == 3 else 1
    pixels = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    bits, kind = 8 * samples.dtype.itemsize, {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    if packs_12_bits:
        bits, pixels = 12, _pack_12_bits(samples)
    short, long = 3, 4
    entries = [
        (256, long, [width]),
        (257, long, [height]),
        (258, short, [bits] * depth),
        (259, short, [1]),
        (262, short, [photometric]),
        (273, long, [0]),  # where the pixels start: filled in below
        (274, short, [orientation]),
        (277, short, [depth]),
        (278, long, [height]),
        (279, long, [len(pixels)]),
        (339, short, [kind] * depth),
    ]
    end_of_directory = 8 + 2 + 12 * len(entries) + 4
    overflow = b""
    directory = struct.pack(f"{order}H", len(entries))
    size_of_overflow = sum(2 * len(values) for _, _, values in entries if 2 * len(values) > 4)
    for tag, width_of_value, values in entries:
        content = [end_of_directory + size_of_overflow] if tag == 273 else values
        packed = struct.pack(f"{order}{len(content)}{'H' if width_of_value == short else 'I'}", *content)
        if len(packed) > 4:
            place = struct.pack(f"{order}I", end_of_directory + len(overflow))
            overflow += packed
            packed = place
        directory += struct.pack(f"{order}HHI", tag, width_of_value, len(content)) + packed.ljust(4, b"\0")
    return tiff_header(order) + directory + struct.pack(f"{order}I", 0) + overflow + pixels


def _pack_12_bits(samples: Array) -> bytes:
    pairs = samples.astype(np.int64).reshape(-1, 2)
    return b"".join(int((first << 12) | second).to_bytes(3, "big") for first, second in pairs)


def gif(frames: Sequence[Array], palette: Array) -> bytes:
    """A GIF of (H, W) frames of palette indices; the palette has 256 rows."""
    height, width = frames[0].shape
    content = b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF7, 0, 0) + palette.astype(np.uint8).tobytes()
    for frame in frames:
        content += b"\x21\xf9\x04\x04\x0a\x00\x00\x00"
        content += b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0)
        content += b"\x08" + _gif_blocks(frame)
    return content + b"\x3b"


def _gif_blocks(frame: Array) -> bytes:
    """LZW without compression: the table is cleared before codes would grow beyond 9 bits."""
    clear, end, bits, filled, packed = 256, 257, 0, 0, bytearray()
    codes = []
    for position, index in enumerate(frame.ravel()):
        codes += ([clear] if position % 100 == 0 else []) + [int(index)]
    for code in [*codes, end]:
        bits |= code << filled
        filled += 9
        while filled >= 8:
            packed.append(bits & 0xFF)
            bits, filled = bits >> 8, filled - 8
    packed.append(bits & 0xFF)
    blocks = [packed[start : start + 255] for start in range(0, len(packed), 255)]
    return b"".join(bytes([len(block)]) + bytes(block) for block in blocks) + b"\0"


def pgm16(samples: Array) -> bytes:
    """A 16-bit portable greymap."""
    height, width = samples.shape
    return f"P5 {width} {height} 65535\n".encode() + samples.astype(">u2").tobytes()


def jpeg(samples: Array, *, exif: bytes = b"", mode: str | None = None) -> bytes:
    """A JPEG of best quality without colour subsampling; exact to a level or two where the image is flat."""
    image = Image.fromarray(samples) if mode is None else Image.frombytes(mode, samples.shape[1::-1], samples.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=100, subsampling=0, exif=b"Exif\0\0" + exif if exif else b"")
    return buffer.getvalue()


def webp(frames: Sequence[Array]) -> bytes:
    """A lossless WebP of (H, W, 3) frames."""
    first, *others = [Image.fromarray(frame) for frame in frames]
    buffer = io.BytesIO()
    first.save(buffer, "WEBP", lossless=True, exact=True, save_all=bool(others), append_images=others)
    return buffer.getvalue()


def photo(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth colours with some structure, (H, W, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    waves = [np.sin(2 * np.pi * (a * x + b * y) + c) for a, b, c in rng.uniform(0.5, 3, (3, 3))]
    return np.rint(127.5 + 120 * np.stack(waves, axis=2)).astype(np.uint8)
