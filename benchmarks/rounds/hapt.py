"""HAPT: what 30 people did, by a phone at the waist, six numbers 50 times a second; random convolutions as features.

Windows of 128 steps, every 64, of one activity each. The file is a pickle of tables. Nothing of it is called but what
makes arrays: every other name is refused, and tables become `Table`, which only keeps what is in them.
"""

from __future__ import annotations

import _codecs
import copyreg
import gzip
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy._core import multiarray
from numpy.typing import NDArray
from torch.nn import functional

from afray.evaluation.labels import F32
from rounds import packages, samples
from rounds.samples import Samples

WINDOW, STEP = 128, 64
HELD_OUT = 0.3
"""Of the people: 9 of 30."""
CHANNELS = 6
SIZES, DILATIONS, KERNELS = (7, 9, 11), (1, 2, 4, 8), 32
BATCH = 512


class Table:
    """Stands for everything of pandas in the pickle."""

    def __init__(self, *_: object) -> None:
        self.state: Any = None

    def __setstate__(self, state: object) -> None:
        self.state = state

    @property
    def blocks(self) -> list[NDArray[Any]]:
        """Values of a table by type of number, (columns, T) each."""
        found: list[NDArray[Any]] = self.state["_data"].state[1]
        return found


KNOWN: dict[str, object] = {
    "__builtin__ object": object,
    "__builtin__ slice": slice,
    "_codecs encode": _codecs.encode,
    "copy_reg _reconstructor": copyreg._reconstructor,  # type: ignore[attr-defined]
    "numpy dtype": np.dtype,
    "numpy ndarray": np.ndarray,
    "numpy.core.multiarray _reconstruct": multiarray._reconstruct,
    "pandas.core.frame DataFrame": Table,
    "pandas.core.indexes.base Index": Table,
    "pandas.core.indexes.base _new_Index": lambda kind, _: kind(),
    "pandas.core.indexes.range RangeIndex": Table,
    "pandas.core.internals.managers BlockManager": Table,
}
"""All that the pickle may name."""


class Reader(pickle.Unpickler):
    """Reads tables of numbers, and refuses a pickle that asks for anything else."""

    def __init__(self, file: gzip.GzipFile | IO[bytes]) -> None:
        super().__init__(file, fix_imports=False)

    def find_class(self, module: str, name: str) -> object:
        if (known := KNOWN.get(f"{module} {name}")) is None:
            raise pickle.UnpicklingError(f"the pickle asks for {module}.{name}, which is no table of numbers")
        return known


def load() -> Samples:
    """Windows of one person are a group."""
    defined_by: list[str | bytes] = [packages.HAPT.sha256, Path(__file__).read_bytes()]
    return samples.kept("hapt", defined_by, _make)


def _make() -> Samples:
    with gzip.open(packages.hapt(), "rb") as file:
        people: dict[int, list[Table]] = Reader(file).load()
    found = [(*window, person) for person, tables in people.items() for each in tables for window in windows(each)]
    signals, activities, persons = (np.array(column) for column in zip(*found, strict=True))
    return Samples(vectors=convolve(signals.astype(np.float32)), labels=activities, groups=persons)


def windows(table: Table) -> Iterator[tuple[NDArray[np.float64], str]]:
    """(CHANNELS, WINDOW) of a recording, and the number of the one activity in it."""
    signal, (_, activity) = table.blocks
    for start in range(0, signal.shape[1] - WINDOW + 1, STEP):
        within = set(activity[start : start + WINDOW].tolist())
        if len(within) == 1 and min(within) > 0:
            yield signal[:, start : start + WINDOW], str(*within)


def convolve(signals: F32) -> F32:
    """(n, CHANNELS, WINDOW) -> (n, 768): of each random kernel its largest answer, and how often it is positive."""
    centred = signals - signals.mean((0, 2), keepdims=True)
    scaled = torch.from_numpy(centred / signals.std((0, 2), keepdims=True))
    draws = torch.Generator().manual_seed(0)
    columns = [_answers(scaled, size, dilation, draws) for size in SIZES for dilation in DILATIONS]
    vectors: F32 = torch.cat(columns, 1).numpy()
    return vectors


def _answers(signals: torch.Tensor, size: int, dilation: int, draws: torch.Generator) -> torch.Tensor:
    kernels = torch.randn(KERNELS, CHANNELS, size, generator=draws)
    sees = torch.rand(KERNELS, CHANNELS, 1, generator=draws) < 0.5
    kernels = (kernels - kernels.mean(2, keepdim=True)) * sees
    bias = torch.rand(KERNELS, generator=draws) * 2 - 1
    padding = (size - 1) * dilation // 2
    answers = [
        functional.conv1d(part, kernels, bias, dilation=dilation, padding=padding)
        for part in torch.split(signals, BATCH)
    ]
    return torch.cat([torch.cat([(each > 0).float().mean(2), each.amax(2)], 1) for each in answers])
