"""Small labelled pools whose classes can be told apart, as vectors and as images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from afray.evaluation.images import ImagesInMemory
from afray.evaluation.labels import I64, LabelledRows

COLOURS = {"blue": (0.1, 0.2, 0.9), "green": (0.2, 0.8, 0.2), "red": (0.9, 0.1, 0.1)}


def blobs(rows: int, *, classes: int = 4, dim: int = 16, noise: float = 0.5, seed: int = 0) -> LabelledRows:
    """Unit rows around `classes` fixed centres; class names are c0, c1, ..."""
    centres = np.random.default_rng(99).normal(size=(classes, dim))
    rng = np.random.default_rng(seed)
    numbers = rng.integers(0, classes, rows)
    points = centres[numbers] + noise * rng.normal(size=(rows, dim))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return LabelledRows(vectors=points.astype(np.float32), labels=np.array([f"c{n}" for n in numbers]))


def first_rows(count: int) -> I64:
    """Rows 0..count-1."""
    return np.arange(count, dtype=np.int64)


def coloured_images(count: int, *, side: int = 16, seed: int = 0) -> ImagesInMemory:
    """Noisy squares of one colour each; the class is the colour's name."""
    rng = np.random.default_rng(seed)
    names = np.array(sorted(COLOURS))[rng.integers(0, len(COLOURS), count)]
    pixels = np.array([COLOURS[name] for name in names])[:, :, None, None] + rng.normal(
        scale=0.2, size=(count, 3, side, side)
    )
    return ImagesInMemory(pixels=torch.from_numpy(pixels.clip(0, 1)).to(torch.float16), labels=names)


class TinyEncoder(nn.Module):
    """A convolution, a batch normalisation and a pool: 8 features; always the same weights."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            self.convolution = nn.Conv2d(3, 8, 3, padding=1)
        self.normalisation = nn.BatchNorm2d(8)
        self.dropout = nn.Dropout(0.1)

    def forward(self, images: Tensor) -> Tensor:
        maps = functional.relu(self.normalisation(self.convolution(images)))
        pooled: Tensor = self.dropout(maps.mean((2, 3)))
        return pooled
