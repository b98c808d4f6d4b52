"""OpenClipart: drawings in folders by topic, as vectors of EfficientNet-Lite0 at 128 px.

Left out: folders that say nothing of what is drawn, hundreds of near-copies of stars, byte-equal copies, and topics
(two folders deep) with fewer than 40 drawings.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from afray.api.embedding import EmbeddingSpec
from afray.embedding.encoders import Encoder, load_encoder
from afray.evaluation.labels import F32
from rounds import packages, samples
from rounds.samples import Samples

SIDE = 128
BATCH = 64
LEFT_OUT = ("special/", "unsorted/", "logos/", "buttons/", "shapes/stars")
FEWEST = 40
"""Drawings of a topic."""
HELD_OUT = 0.25
U8 = NDArray[np.uint8]


def load() -> Samples:
    """Every drawing is a group of its own."""
    defined_by: list[str | bytes] = [packages.OPENCLIPART.sha256, Path(__file__).read_bytes()]
    return samples.kept("openclipart", defined_by, _make)


def _make() -> Samples:
    folder = packages.openclipart()
    drawings = list(_distinct(folder))
    topics = Counter(topic for _, topic in drawings)
    enough = [(path, topic) for path, topic in drawings if topics[topic] >= FEWEST]
    vectors = _embed([path for path, _ in enough])
    labels = np.array([topic for _, topic in enough])
    return Samples(vectors=vectors, labels=labels, groups=np.arange(len(labels)))


def _distinct(folder: Path) -> Iterator[tuple[Path, str]]:
    """Drawings with their topics, of copies the first by name."""
    seen = set()
    for path in sorted(folder.rglob("*.png")):
        name = path.relative_to(folder)
        digest = hashlib.sha256(path.read_bytes()).digest()
        if digest not in seen and not name.as_posix().startswith(LEFT_OUT):
            seen.add(digest)
            yield path, "/".join(name.parts[:-1][:2])


def _embed(paths: list[Path]) -> F32:
    encoder = load_encoder(EmbeddingSpec(model="package:efficientnet-lite0", image_size=SIDE, device="cpu"))
    return np.concatenate([_encode(encoder, paths[at : at + BATCH]) for at in range(0, len(paths), BATCH)])


def _encode(encoder: Encoder, paths: list[Path]) -> F32:
    pixels = torch.from_numpy(np.stack([draw(path) for path in paths]))
    vectors: F32 = encoder.encode(pixels.permute(0, 3, 1, 2).float() / 255).numpy()
    return vectors


def draw(path: Path) -> U8:
    """(SIDE, SIDE, 3): the whole drawing in the middle of a white square."""
    with Image.open(path) as file:
        image = file.convert("RGBA")
    image.thumbnail((SIDE, SIDE))
    square = Image.new("RGBA", (SIDE, SIDE), "white")
    square.alpha_composite(image, ((SIDE - image.width) // 2, (SIDE - image.height) // 2))
    return np.asarray(square.convert("RGB"))
