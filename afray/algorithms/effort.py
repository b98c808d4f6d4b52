"""How much work a selection is, counted from sizes alone: for estimates, and for the page on what scale costs.

What takes time is counted in its own unit, so that a rate measured on any machine turns counts into seconds. What
depends on the pool itself (how unequal its clusters are) is assumed, and said.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from afray.algorithms import activeft, kmeans, packing, repulsion
from afray.algorithms.methods import Method, SelectionOptions

SKEW = 1.4
"""Mean of n squared over the square of the mean, of cluster sizes: 1.2 to 1.4 on ImageNet and CIFAR10."""
LARGEST_CLUSTER = 5.5
"""Rows of the largest cluster over those of the mean one, on ImageNet."""

ENDS_OF_CORES, SECOND_STAGE_TRIPS = 3, 4
"""Trips for the first centres, the snapping and statistics; for rows of cores, assignment, sizes, clusters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What a selection is about: rows, cores among the budget (or all of it, where a method has no others), budget."""

    rows: int
    cores: int
    budget: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """Counts of what takes time; with seconds per unit instead of counts, the pace of a worker."""

    drawn: float = 0.0
    """Rows looked at to draw a step's sample; by the driver alone."""
    moved: float = 0.0
    """Centres moved by a step; by the driver alone."""
    merged: float = 0.0
    """Centres whose sums the driver adds up, for each worker."""
    trips: float = 0.0
    """Times that the driver waits until all workers have answered."""
    pulled: float = 0.0
    """Pairs of row and centre in steps of ActiveFT."""
    pushed: float = 0.0
    """Pairs of centres in steps of ActiveFT, where they are many enough for the workers."""
    pushed_alone: float = 0.0
    """The same where the driver takes them itself; a pair takes as long."""
    snapped: float = 0.0
    """Pairs of row and centre while centres look for their rows, or while rows look for the nearest pick."""
    assigned: float = 0.0
    """Pairs of row and core while rows look for their cores."""
    clustered: float = 0.0
    """Pairs of rows within clusters, and what a row costs beside (`packing.cost`)."""

    def alone(self, pace: Effort, workers: int) -> float:
        """Seconds of the driver's own work."""
        return (
            self.drawn * pace.drawn
            + self.moved * pace.moved
            + self.merged * pace.merged * workers
            + self.trips * pace.trips
            + self.pushed_alone * pace.pushed
        )

    def shared(self, pace: Effort) -> float:
        """Seconds of one worker, if it did all that workers share."""
        return (
            self.pulled * pace.pulled
            + self.pushed * pace.pushed
            + self.snapped * pace.snapped
            + self.assigned * pace.assigned
            + self.clustered * pace.clustered
        )


def count(method: Method, size: Size, options: SelectionOptions) -> Effort:
    """The work of a selection of a first round."""
    assert method != "uherding", "goes on from an earlier round"
    match method:
        case "bilaf":
            return _second_stage(size, count_cores(options.core_method, size, options), options.bilaf.probes)
        case "activeft" | "kmeans":
            return count_cores(method, size, options)
        case "kcenter":
            return Effort(snapped=size.rows * size.cores)
        case "typiclust":
            return _second_stage(size, replace(count_cores("kmeans", size, options), snapped=0.0))
        case "random":
            return Effort(drawn=size.rows)


def count_cores(method: str, size: Size, options: SelectionOptions) -> Effort:
    """The work for core rows; none where they are given."""
    pairs = float(size.rows * size.cores)
    if method == "kmeans":
        moved = kmeans.ROUNDS * size.cores
        return Effort(
            assigned=kmeans.ROUNDS * pairs,
            moved=moved,
            merged=moved,
            trips=kmeans.ROUNDS + ENDS_OF_CORES,
            snapped=pairs,
        )
    if method == "given":
        return Effort()
    plan = activeft.schedule(size.rows, size.cores, options.activeft)
    pushed, is_shared = float(plan.steps * size.cores**2), size.cores > repulsion.TILE
    return Effort(
        drawn=plan.steps * size.rows if plan.rows < size.rows else 0.0,
        moved=plan.steps * size.cores,
        merged=plan.steps * size.cores,
        pulled=float(plan.steps * plan.rows * size.cores),
        trips=plan.steps * (2 if is_shared else 1) + ENDS_OF_CORES,
        pushed=pushed if is_shared else 0.0,
        pushed_alone=0.0 if is_shared else pushed,
        snapped=pairs,
    )


def _second_stage(size: Size, cores: Effort, probes: int | None = None) -> Effort:
    mean = size.rows / size.cores
    groups = max(1.0, size.cores**0.5)
    looked_at = size.cores if probes is None else groups + min(probes / groups, 1.0) * size.cores
    pairs = size.rows * looked_at
    return replace(
        cores,
        trips=cores.trips + SECOND_STAGE_TRIPS,
        assigned=cores.assigned + pairs,
        clustered=size.rows * (SKEW * mean + packing.COST_PER_ROW),
    )


def largest_share(size: Size) -> float:
    """Of `clustered`, what the largest cluster is likely to be: no number of workers takes less time than it does."""
    mean = size.rows / size.cores
    largest = min(float(size.rows), LARGEST_CLUSTER * mean)
    return largest * (largest + packing.COST_PER_ROW)
