"""The one seam to a matrix product. It proposes; `numerics` decides.

Any function with this signature may be used, of any library, as long as `bound` holds for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afray.algorithms.precisions import BFLOAT16, FLOAT32, PRECISIONS, Precision

Floats = NDArray[np.floating[Any]]
Gemm = Callable[[Floats, Floats, Floats], None]
"""gemm(a, b, out): out[:] = a @ b for a (n, D), b (D, K), out (n, K), all three float32 or all three float64."""


def numpy_gemm(a: Floats, b: Floats, out: Floats) -> None:
    """numpy's BLAS (OpenBLAS in the published wheels)."""
    np.matmul(a, b, out=out)


def torch_gemm(a: Floats, b: Floats, out: Floats) -> None:
    """torch's BLAS (MKL on x86 in the published wheels)."""
    import torch
    from torch.utils.dlpack import from_dlpack

    # Unlike from_numpy, from_dlpack takes a read-only array (a memory map, a shared object) without a warning.
    torch.matmul(from_dlpack(a), from_dlpack(b), out=from_dlpack(out))


def bfloat16_gemm(a: Floats, b: Floats, out: Floats) -> None:
    """torch's product of inputs rounded to bfloat16, the result rounded too; `precisions.bound` says how far it is off.

    Where the processor has tiles for it (AMX), measured at ten times the rate of float32.
    """
    import torch
    from torch.utils.dlpack import from_dlpack

    rows, columns = out.shape
    product = _rounded(a) @ (_rounded(b.T).T if b.flags.f_contiguous else from_dlpack(b).to(torch.bfloat16))
    from_dlpack(out).copy_(product[:rows, :columns])


def _rounded(matrix: Floats) -> Any:
    """In bfloat16, with rows of zeros at the end: torch keeps code for every shape that it meets, 0.8 MiB of it."""
    import torch
    from torch.utils.dlpack import from_dlpack

    rows, columns = matrix.shape
    rounded = torch.zeros(-(-rows // ROW_STEP) * ROW_STEP, columns, dtype=torch.bfloat16)
    rounded[:rows].copy_(from_dlpack(matrix))
    return rounded


ROW_STEP = 128
"""Rows come in multiples of this where their number changes from block to block."""
BACKENDS: dict[str, Gemm] = {"numpy": numpy_gemm, "torch": torch_gemm}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compute:
    """How to compute, never what: no field may change an id."""

    gemm: str = "numpy"
    """Key of BACKENDS: the library of every product in float32 and float64."""
    proposals: str = FLOAT32.name
    """Key of PRECISIONS: what rows are scored in against centres. Anything but float32 is torch's, on `device`."""
    device: str = "cpu"
    """Where torch scores proposals: `cpu` or `cuda`."""
    block: int = 1024
    """Rows per product; 1024 rows keep the product in cache (reference: measured 8192 x 384 x 6405)."""
    certify: bool = True
    """False skips the exact decision; for measuring its cost in benchmarks only."""
    memory: int = 2**30
    """Bytes that the largest buffers of one worker may take: blocks shrink to what fits."""
    adapts: bool = False
    """Whoever runs a step may compute with what is fastest on its machine instead."""

    @property
    def product(self) -> Gemm:
        return BACKENDS[self.gemm]

    def rows_within(self, share: float, row_bytes: int) -> int:
        """Rows of a buffer that may take a share of the memory, at least one."""
        return max(1, int(self.memory * share) // row_bytes)

    @property
    def precision(self) -> Precision:
        """What proposals are rounded to."""
        return PRECISIONS[self.proposals]

    @property
    def is_coarse(self) -> bool:
        """Proposals come from torch, rounded more coarsely than float32."""
        return self.precision is not FLOAT32

    @property
    def scores_there(self) -> bool:
        """Proposals stay on a device, but for short lists; a processor imitates one with the same code, for tests."""
        return self.is_coarse and not self._rounds_here

    @property
    def proposal_product(self) -> Gemm:
        """What scores proposals where they do not stay on a device."""
        return bfloat16_gemm if self._rounds_here else self.product

    @property
    def _rounds_here(self) -> bool:
        return self.precision is BFLOAT16 and self.device == "cpu"
