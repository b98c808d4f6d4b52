"""All selection methods under one interface: a pool and a budget in, a Selection out.

Every method but bilaf spends the whole budget on core rows, in its own order of preference. Rows that have labels
already are fixed cores: none is chosen again, none is an outlier, and what they stand for needs fewer labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import activeft, bilaf, draws, kcentre, kmeans, typiclust, uherding
from afray.algorithms.activeft import ActiveFTOptions
from afray.algorithms.clusters import BilafOptions
from afray.algorithms.draws import NO_ROWS
from afray.algorithms.gemm import Compute
from afray.algorithms.margins import LinearModel
from afray.algorithms.selection import Selection, plain, without
from afray.algorithms.shards import Progress, Shards, count_rows, silent
from afray.algorithms.uherding import HerdingOptions

I64 = NDArray[np.int64]
Method = Literal["bilaf", "activeft", "kmeans", "kcenter", "typiclust", "random", "uherding"]
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
    """bilaf with core method `given`: rows, ascending, none of them labelled."""
    bilaf: BilafOptions = field(default_factory=BilafOptions)
    labelled: I64 = field(default_factory=NO_ROWS.copy)
    """Rows that have labels already, ascending; uherding needs one at least."""
    model: LinearModel | None = None
    """uherding: what the labels say, None if they say nothing."""
    uherding: HerdingOptions = field(default_factory=HerdingOptions)


NEED_LABELS: Final[frozenset[Method]] = frozenset({"uherding"})
"""Methods that have nothing to go by in a first round."""
PROPOSE: Final[frozenset[Method]] = frozenset({"bilaf", "activeft", "kmeans", "typiclust"})
"""Methods that score all rows against all centres, which may be done in any precision; others gain nothing by it."""
Selector = Callable[[Shards, int, SelectionOptions, Compute, Progress], Selection]


def select(
    method: Method,
    shards: Shards,
    budget: int,
    options: SelectionOptions,
    compute: Compute | None = None,
    progress: Progress = silent,
) -> Selection:
    """Choose `budget` rows without a label, 1 <= budget <= N less labelled rows. Raises what the method raises."""
    return SELECTORS[method](shards, budget, options, compute or Compute(), progress)


def core_rows(shards: Shards, size: int, options: SelectionOptions, compute: Compute, progress: Progress) -> I64:
    """The cores of bilaf beside the labelled rows: `size` rows, ascending."""
    match options.core_method:
        case "activeft":
            return np.sort(activeft.cores(shards, size, options.activeft, compute, progress, options.labelled))
        case "kmeans":
            return kmeans.cores(shards, size, options.seed, compute, progress, options.labelled)
        case "given":
            assert options.given_cores is not None, "core method `given` comes with rows"
            return options.given_cores


def _bilaf(shards: Shards, budget: int, options: SelectionOptions, compute: Compute, progress: Progress) -> Selection:
    labelled = options.labelled
    cores = core_rows(shards, options.core_size or budget, options, compute, progress)
    # Every cluster gets a label at least, and that of a labelled row is its core's: what it has beyond is new.
    chosen = bilaf.select(shards, np.union1d(cores, labelled), len(labelled) + budget, options.bilaf, compute, progress)
    return without(chosen, labelled)


def _activeft(
    shards: Shards, budget: int, options: SelectionOptions, compute: Compute, progress: Progress
) -> Selection:
    rows = activeft.cores(shards, budget, options.activeft, compute, progress, options.labelled)
    return plain(rows, count_rows(shards))


def _kmeans(shards: Shards, budget: int, options: SelectionOptions, compute: Compute, progress: Progress) -> Selection:
    rows = kmeans.cores(shards, budget, options.seed, compute, progress, options.labelled)
    return plain(rows, count_rows(shards))


def _kcenter(shards: Shards, budget: int, options: SelectionOptions, compute: Compute, progress: Progress) -> Selection:
    rows = kcentre.cores(shards, budget, options.seed, compute, progress, options.labelled)
    return plain(rows, count_rows(shards))


def _typiclust(
    shards: Shards, budget: int, options: SelectionOptions, compute: Compute, progress: Progress
) -> Selection:
    rows = typiclust.cores(shards, budget, options.seed, compute, progress, options.labelled)
    return plain(rows, count_rows(shards))


def _random(shards: Shards, budget: int, options: SelectionOptions, _: Compute, progress: Progress) -> Selection:
    total = count_rows(shards)
    progress("core", budget, budget)
    return plain(draws.order(total, budget, options.seed, "random", options.labelled), total)


def _uherding(
    shards: Shards, budget: int, options: SelectionOptions, compute: Compute, progress: Progress
) -> Selection:
    rows = uherding.select(shards, options.labelled, options.model, budget, options.uherding, compute, progress)
    return plain(rows, count_rows(shards))


SELECTORS: Final[dict[Method, Selector]] = {
    "bilaf": _bilaf,
    "activeft": _activeft,
    "kmeans": _kmeans,
    "kcenter": _kcenter,
    "typiclust": _typiclust,
    "random": _random,
    "uherding": _uherding,
}
