"""Scores of rows against centres on a torch device, from which only short lists come back.

The same code runs on `cuda` and on `cpu`; there tf32, which only a GPU has, is imitated at its worst: entries are cut
off. What comes back is a proposal like any other, off by at most `precisions.bound`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afray.algorithms.gemm import Compute
from afray.algorithms.precisions import TF32

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

LARGEST_PRODUCT = 2**28
"""Scores held at once on a device: 1 GiB."""
TF32_BITS = np.int32(-(1 << 13))
"""Mask of the bits of a float32 that tf32 keeps: sign, exponent, ten digits."""


class DeviceScores:
    """Centres (K, D), prepared on a device for many rows."""

    def __init__(self, centres: F32, half_norms: F32 | None, compute: Compute) -> None:
        """`half_norms` (K,) are taken off the products; None leaves products as they are."""
        import torch

        self._torch, self._precision, self._device = torch, compute.precision, compute.device
        self._centres = self.prepare(centres).T.contiguous()
        self._half_norms = None if half_norms is None else torch.from_numpy(half_norms).to(self._device)
        self.rows = max(1, LARGEST_PRODUCT // len(centres))
        """Rows per call, at most."""

    def top(self, block: F32, length: int) -> tuple[I64, F32, Any]:
        """Per row the `length` centres of largest score, best first, their scores, and all scores for `take`.

        Both are (n, length); n is at most `rows`.
        """
        scores = self._score(block)
        best = self._torch.topk(scores, length, dim=1)
        return best.indices.cpu().numpy(), best.values.cpu().numpy(), scores

    def take(self, scores: Any, rows: I64) -> F32:
        """Scores of some of the rows against all centres: (len(rows), K)."""
        chosen = self._torch.from_numpy(rows).to(self._device)
        taken: F32 = scores.index_select(0, chosen).cpu().numpy()
        return taken

    def prepare(self, vectors: F32) -> Any:
        """Vectors (n, D) on the device, scaled and rounded."""
        if self._precision is TF32 and self._device == "cpu":
            vectors = (np.ascontiguousarray(vectors).view(np.int32) & TF32_BITS).view(np.float32)
        on_device = self._torch.utils.dlpack.from_dlpack(vectors).to(self._device)
        if self._precision is TF32:
            return on_device
        return (on_device * self._precision.scale).to(getattr(self._torch, self._precision.name))

    def multiply(self, prepared: Any) -> Any:
        """The bare product of prepared rows with all centres, on the device: (n, K)."""
        with _strict_products(self._torch, self._device):
            return prepared @ self._centres

    def _score(self, block: F32) -> Any:
        scores = self.multiply(self.prepare(block)).to(self._torch.float32)
        if self._precision.scale != 1.0:
            scores *= self._precision.scale**-2
        return scores if self._half_norms is None else scores.sub_(self._half_norms)


@contextmanager
def _strict_products(torch: Any, device: str) -> Iterator[None]:
    """Let a GPU round inputs to tf32, and sum nothing up in less than float32; as it was afterwards."""
    if device == "cpu":
        yield
        return
    matmul = torch.backends.cuda.matmul
    wanted = {
        "fp32_precision": "tf32",
        "allow_fp16_reduced_precision_reduction": False,
        "allow_bf16_reduced_precision_reduction": False,
    }
    before = {name: getattr(matmul, name) for name in wanted}
    try:
        for name, value in wanted.items():
            setattr(matmul, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(matmul, name, value)
