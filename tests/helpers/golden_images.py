"""The golden files of decoding: one small image per kind of pixel, with the upright pixels that must come out.

Expected pixels are computed here from the arrays the files were made of, by the formulas of docs/decoding.md.
`PYTHONPATH=tests python tests/helpers/golden_images.py` writes the folder anew after a change of the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from helpers import image_files
from numpy.typing import NDArray

from afray.embedding.rules import PixelRange

FOLDER = Path(__file__).parents[1] / "data" / "golden"
SIDE = 8
BACKGROUND = (255, 128, 0)

Array = NDArray[np.generic]
Pixels = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Golden:
    """A file and what decoding it to SIDE x SIDE must give."""

    name: str
    content: bytes
    pixels: Pixels
    """(3, SIDE, SIDE) in [0, 1]."""
    pixel_range: PixelRange = "dtype"
    tolerance: float = 0.0
    """Largest difference; 0 for everything that is stored without loss."""


def golden_images() -> Iterator[Golden]:
    yield from _narrow()
    yield from _transparent()
    yield from _wide()
    yield from _animated()
    yield from _lossy()


def _levels(*shape: int, seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _grey(values: Array) -> Pixels:
    return np.repeat(values.astype(np.float64)[None], 3, axis=0)


def _rgb(samples: Array) -> Pixels:
    return samples.astype(np.float64).transpose(2, 0, 1) / 255


def _over_background(rgb: Array, alpha: Array) -> Pixels:
    weight, colour = alpha.astype(np.float64)[..., None], rgb.astype(np.float64)
    return _rgb(np.rint((weight * colour + (255 - weight) * np.array(BACKGROUND)) / 255))


def _narrow() -> Iterator[Golden]:
    bits = _levels(SIDE, SIDE) > 127
    yield Golden(name="1.png", content=image_files.png(bits, image_files.GREY, bits=1), pixels=_grey(bits))
    grey, rgb, cmyk = _levels(SIDE, SIDE), _levels(SIDE, SIDE, 3), _levels(SIDE, SIDE, 4)
    yield Golden(name="l.png", content=image_files.png(grey, image_files.GREY), pixels=_grey(grey / 255))
    yield Golden(name="rgb.png", content=image_files.png(rgb, image_files.RGB), pixels=_rgb(rgb))
    palette, indices = _levels(16, 3, seed=2), grey % 16
    content = image_files.png(indices, image_files.PALETTE, palette=palette)
    yield Golden(name="p.png", content=content, pixels=_rgb(palette[indices]))
    light = 255.0 - cmyk[..., 3:]
    pixels = (light - np.rint(cmyk[..., :3] * light / 255)).transpose(2, 0, 1) / 255
    yield Golden(name="cmyk.tif", content=image_files.tiff(cmyk, photometric=5), pixels=pixels)
    y, blue, red = (rgb[..., channel].astype(np.float64) for channel in range(3))
    blue, red = blue - 128, red - 128
    pixels = np.stack([y + 1.402 * red, y - 0.344136 * blue - 0.714136 * red, y + 1.772 * blue])
    content = image_files.tiff(rgb, photometric=6)
    yield Golden(name="ycbcr.tif", content=content, pixels=np.clip(pixels / 255, 0, 1), tolerance=2 / 255)


def _transparent() -> Iterator[Golden]:
    la, rgba = _levels(SIDE, SIDE, 2), _levels(SIDE, SIDE, 4)
    pixels = _over_background(la[..., [0, 0, 0]], la[..., 1])
    yield Golden(name="la.png", content=image_files.png(la, image_files.GREY_ALPHA), pixels=pixels)
    pixels = _over_background(rgba[..., :3], rgba[..., 3])
    yield Golden(name="rgba.png", content=image_files.png(rgba, image_files.RGB_ALPHA), pixels=pixels)
    palette, alphas, indices = _levels(16, 3, seed=2), _levels(16, seed=3), rgba[..., 0] % 16
    content = image_files.png(indices, image_files.PALETTE, palette=palette, transparency=alphas.tobytes())
    pixels = _over_background(palette[indices], alphas[indices])
    yield Golden(name="p-transparent.png", content=content, pixels=pixels)
    grey = rgba[..., 0] % 4
    content = image_files.png(grey, image_files.GREY, transparency=b"\0\2")
    pixels = _over_background(np.repeat(grey[..., None], 3, axis=2), np.where(grey == 2, 0, 255))
    yield Golden(name="l-transparent-level.png", content=content, pixels=pixels)
    colours = _levels(4, 3, seed=8)
    content = image_files.png(colours[grey], image_files.RGB, transparency=colours[2].astype(">u2").tobytes())
    pixels = _over_background(colours[grey], np.where(grey == 2, 0, 255))
    yield Golden(name="rgb-transparent-colour.png", content=content, pixels=pixels)


def _wide() -> Iterator[Golden]:
    rng = np.random.default_rng(4)
    words = rng.integers(0, 65536, (SIDE, SIDE), dtype=np.uint16)
    unit = _grey(words / 65535)
    yield Golden(name="16.png", content=image_files.png(words, image_files.GREY, bits=16), pixels=unit)
    yield Golden(name="16-little.tif", content=image_files.tiff(words, "<"), pixels=unit)
    yield Golden(name="16-big.tif", content=image_files.tiff(words, ">"), pixels=unit)
    yield Golden(name="16.pgm", content=image_files.pgm16(words), pixels=unit)
    twelve = words >> 4
    content = image_files.tiff(twelve, packs_12_bits=True)
    yield Golden(name="12-packed.tif", content=content, pixels=_grey(twelve / 4095))
    pixels = _grey(np.clip((twelve - 1000.0) / 2000.0, 0, 1))
    content = image_files.tiff(twelve)
    yield Golden(name="16-declared.tif", content=content, pixels=pixels, pixel_range=(1000.0, 3000.0))
    signed = words.astype(np.int32) - 32768
    content, pixels = image_files.tiff(signed.astype(np.int16)), _grey((signed + 32768) / 65535)
    yield Golden(name="signed-16.tif", content=content, pixels=pixels)
    large = signed * 65536
    pixels = _grey(np.clip((large / 2.0**30 + 1) / 2, 0, 1))
    for order, name in (("<", "32-little.tif"), (">", "32-big.tif")):
        content = image_files.tiff(large, "<" if order == "<" else ">")
        yield Golden(name=name, content=content, pixels=pixels, pixel_range=(-(2.0**30), 2.0**30))
    fractions = rng.uniform(-0.2, 1.2, (SIDE, SIDE)).astype(np.float32)
    pixels = _grey(np.clip(fractions, 0, 1))
    yield Golden(name="float-little.tif", content=image_files.tiff(fractions, "<"), pixels=pixels)
    yield Golden(name="float-big.tif", content=image_files.tiff(fractions, ">"), pixels=pixels)


def _animated() -> Iterator[Golden]:
    first, second = _levels(SIDE, SIDE, 3, seed=5), _levels(SIDE, SIDE, 3, seed=6)
    content = image_files.png(first, image_files.RGB, frames=[second])
    yield Golden(name="animated.png", content=content, pixels=_rgb(first))
    yield Golden(name="animated.webp", content=image_files.webp([first, second]), pixels=_rgb(first))
    palette = _levels(256, 3, seed=7)
    content = image_files.gif([first[..., 0], second[..., 0]], palette)
    yield Golden(name="animated.gif", content=content, pixels=_rgb(palette[first[..., 0]]))


def _lossy() -> Iterator[Golden]:
    two_levels = 2 / 255
    for name, colour in (("l.jpg", (90,)), ("rgb.jpg", (200, 40, 90))):
        flat = np.full((SIDE, SIDE, len(colour)), colour, dtype=np.uint8)
        content, pixels = image_files.jpeg(flat.squeeze()), _rgb(np.broadcast_to(flat, (SIDE, SIDE, 3)))
        yield Golden(name=name, content=content, pixels=pixels, tolerance=two_levels)
    inks = np.full((SIDE, SIDE, 4), (200, 100, 50, 30), dtype=np.uint8)
    light = 255 - inks[..., 3:].astype(np.float64)
    pixels = _rgb(light - inks[..., :3] * light / 255)
    yield Golden(name="cmyk.jpg", content=image_files.jpeg(inks, mode="CMYK"), pixels=pixels, tolerance=two_levels)


def write_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for golden in golden_images():
        (folder / golden.name).write_bytes(golden.content)
        np.save(folder / f"{golden.name}.npy", golden.pixels.astype(np.float32))


if __name__ == "__main__":
    write_folder(FOLDER)
