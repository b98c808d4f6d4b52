"""How far a fast product may be off, for every way of rounding that it may use.

u is half the distance of two neighbours at 1, relative to 1; a value that is cut off instead of rounded errs by 2 u.

                float32   tf32     float16   bfloat16
    inputs      0         2**-10   2**-11    2**-8      relative; tf32 may be cut off (the processor does it, unseen)
    sum         2**-24    2**-22   2**-22    2**-22     per term; tensor cores cut sums off, and align four bits short
    result      0         0        2**-11    2**-8      relative

float16 ends at 65504 and loses digits below 2**-14. Rows and centres of norm <= 1 are multiplied by 2**7 first: scores
then end at 2**14, and what is lost of an entry is below 2**-21.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from afray.algorithms.numerics import U32


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """Roundings of a product of rows and centres, as the module's table has them."""

    name: str
    inputs: float
    sums: float
    result: float
    scale: float = 1.0
    """Rows and centres are multiplied by this power of two before they are rounded."""
    least: float = 0.0
    """Entries and scores below this, before scaling is undone, may be lost altogether."""


FLOAT32 = Precision(name="float32", inputs=0.0, sums=U32, result=0.0)
TF32 = Precision(name="tf32", inputs=2.0**-10, sums=4 * U32, result=0.0)
FLOAT16 = Precision(name="float16", inputs=2.0**-11, sums=4 * U32, result=2.0**-11, scale=2.0**7, least=2.0**-14)
BFLOAT16 = Precision(name="bfloat16", inputs=2.0**-8, sums=4 * U32, result=2.0**-8)
PRECISIONS = {precision.name: precision for precision in (FLOAT32, TF32, FLOAT16, BFLOAT16)}


def bound(dim: int, row_norm: float, centre_norm: float, precision: Precision = FLOAT32) -> float:
    """Largest error of a score x.c - |c|^2/2 for rows and centres up to the given norms.

    Sums over |x_i c_i| are at most |x||c| (Cauchy-Schwarz), sums over |x_i| at most sqrt(D) |x|. The 1 % at the end is
    for norms that were themselves computed in float32, and for products of two of these small numbers.
    """
    length = row_norm * centre_norm
    inputs = (2.0 + precision.inputs) * precision.inputs
    gamma = dim * precision.sums / (1.0 - dim * precision.sums)
    product = (inputs + (1.0 + inputs) * gamma) * length
    least = precision.least / precision.scale
    lost = least * (math.sqrt(dim) * (row_norm + centre_norm) + dim * least + 1.0 / precision.scale)
    result = precision.result * (length + product)
    rounding = 4 * U32 * (length + centre_norm * centre_norm)
    return (product + lost + result + rounding) * 1.01
