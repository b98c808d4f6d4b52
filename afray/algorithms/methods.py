"""All selection methods under one interface: a pool and a budget in, a Selection out.

Every method but bilaf spends the whole budget on core rows, in its own order of preference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import activeft, bilaf, draws, kcentre, kmeans, typiclust
from afray.algorithms.activeft import ActiveFTOptions
from afray.algorithms.clusters import BilafOptions
from afray.algorithms.gemm import Compute
from afray.algorithms.selection import Selection, plain
from afray.algorithms.shards import Progress, Shards, count_rows, silent

I64 = NDArray[np.int64]
Method = Literal["bilaf", "activeft", "kmeans", "kcenter", "typiclust", "random"]
CoreMethod = Literal["activeft", "kmeans", "given"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SelectionOptions:
    """What a method may be told; each takes what it knows."""

    seed: int = 0
    activeft: ActiveFTOptions = field(default_factory=ActiveFTOptions)
    core_method: CoreMethod = "activeft"
    core_size: int | None = None
    """bilaf: cores among the budget; None: the whole budget."""
    given_cores: I64 | None = None
    """bilaf with core method `given`: rows, ascending."""
    bilaf: BilafOptions = field(default_factory=BilafOptions)


Selector = Callable[[Shards, int, SelectionOptions, Compute, Progress], Selection]


def select(
    method: Method,
    shards: Shards,
    budget: int,
    options: SelectionOptions,
    compute: Compute | None = None,
    progress: Progress = silent,
) -> Selection:
    """Choose `budget` rows, 1 <= budget <= N. Raises what the method raises."""
    return SELECTORS[method](shards, budget, options, compute or Compute(), progress)


def core_rows(shards: Shards, size: int, options: SelectionOptions, compute: Compute, progress: Progress) -> I64:
    """The cores of bilaf: `size` rows, ascending."""
    match options.core_method:
        case "activeft":
            return np.sort(activeft.cores(shards, size, options.activeft, compute, progress))
        case "kmeans":
            return kmeans.cores(shards, size, options.seed, compute, progress)
        case "given":
            assert options.given_cores is not None, "core method `given` comes with rows"
            return options.given_cores


def _bilaf(shards: Shards, budget: int, options: SelectionOptions, compute: Compute, progress: Progress) -> Selection:
    cores = core_rows(shards, options.core_size or budget, options, compute, progress)
    return bilaf.select(shards, cores, budget, options.bilaf, compute, progress)


def _activeft(
    shards: Shards, budget: int, options: SelectionOptions, compute: Compute, progress: Progress
) -> Selection:
    return plain(activeft.cores(shards, budget, options.activeft, compute, progress), count_rows(shards))


def _kmeans(shards: Shards, budget: int, options: SelectionOptions, compute: Compute, progress: Progress) -> Selection:
    return plain(kmeans.cores(shards, budget, options.seed, compute, progress), count_rows(shards))


def _kcenter(shards: Shards, budget: int, options: SelectionOptions, compute: Compute, progress: Progress) -> Selection:
    return plain(kcentre.cores(shards, budget, options.seed, compute, progress), count_rows(shards))


def _typiclust(
    shards: Shards, budget: int, options: SelectionOptions, compute: Compute, progress: Progress
) -> Selection:
    return plain(typiclust.cores(shards, budget, options.seed, compute, progress), count_rows(shards))


def _random(shards: Shards, budget: int, options: SelectionOptions, _: Compute, progress: Progress) -> Selection:
    total = count_rows(shards)
    progress("core", budget, budget)
    return plain(draws.order(total, budget, options.seed, "random"), total)


SELECTORS: Final[dict[Method, Selector]] = {
    "bilaf": _bilaf,
    "activeft": _activeft,
    "kmeans": _kmeans,
    "kcenter": _kcenter,
    "typiclust": _typiclust,
    "random": _random,
}
