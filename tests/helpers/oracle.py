"""The methods as their papers word them, in plain float64 and plain loops: slow, and nothing shared with the product.

Ties go to the lower row and the lower centre. Means are sums by math.fsum, so that the order of terms plays no part.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Measure = Callable[[F32, F32], F64]

SMALLEST_CLUSTER = 10
ROUND_RATIO = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    neighbours: int = 10
    removal_ratio: float = 0.1
    penalty: float = 1.1


class ReleasedCodeCrashes(Exception):
    """The released code would end in an IndexError, ValueError, AssertionError or OverflowError here."""


def distances(a: F32, b: F32) -> F64:
    """Euclidean distances by differences in float64: (len(a), len(b))."""
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    rows = [np.sqrt(((row - wide_b) ** 2).sum(axis=1)) for row in wide_a]
    return np.stack(rows)


def ticks(a: F32, b: F32) -> F64:
    """The same as whole multiples of 2**-36: what decides where float64 has more digits than the rule."""
    return np.rint(distances(a, b) * 2.0**36)


def mean(values: Iterable[float]) -> float:
    terms = list(values)
    return math.fsum(terms) / len(terms)


def assign(features: F32, core_rows: I64, measure: Measure = distances) -> tuple[F64, I64]:
    """Distances to all cores and each row's nearest core; a core belongs to itself."""
    to_cores = measure(features, features[core_rows])
    labels = to_cores.argmin(axis=1)
    labels[core_rows] = np.arange(len(core_rows))
    return to_cores, labels


def kept_size(size: int, settings: Settings) -> int:
    if size < SMALLEST_CLUSTER:
        return size
    step = max(1, int(ROUND_RATIO * size))
    return int((1 - settings.removal_ratio) * (step * (size // step)))


def allocate(budget: int, sizes: Sequence[int]) -> list[int]:
    """Paper mode, scanning all clusters for every single label."""
    total = sum(sizes)
    labels = [math.floor(size / total * budget) for size in sizes]
    clusters = range(len(sizes))
    while sum(labels) < budget:
        labels[min(clusters, key=lambda i: (labels[i], -sizes[i], i))] += 1
    labels = [min(max(count, 1), size) for count, size in zip(labels, sizes, strict=True)]
    while sum(labels) < budget:
        labels[min((i for i in clusters if labels[i] < sizes[i]), key=lambda i: (labels[i], -sizes[i], i))] += 1
    while sum(labels) > budget:
        labels[min((i for i in clusters if labels[i] > 1), key=lambda i: (-labels[i], sizes[i], i))] -= 1
    return labels


def allocate_released(budget: int, sizes: Sequence[int]) -> list[int]:
    total = sum(sizes)
    labels = [math.floor(size / total * budget) for size in sizes]
    while sum(labels) < budget:
        labels[min(range(len(sizes)), key=lambda i: (labels[i], -sizes[i], i))] += 1
    return labels


def join_order(between: F64, core: int, settings: Settings, density: Callable[[int, list[int]], float]) -> list[int]:
    """Positions in the order of joining: the core's surroundings, then round by round the densest of the rest."""
    size = len(between)
    step = max(1, int(ROUND_RATIO * size))
    others = sorted((position for position in range(size) if position != core), key=lambda j: (between[core, j], j))
    order = [core, *others[: step - 1]]
    for _ in range(size // step - 1):
        rest = sorted(set(range(size)) - set(order))
        ranked = sorted(rest, key=lambda j: (density(j, order), j))
        order += ranked[:step]
    return order


def score(distance: float, intra: float, factor: float) -> float:
    larger = max(distance, intra)
    return (factor * distance - intra) / larger if larger > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Pick:
    """A selected row; its score and the core row it was picked against, None for cores."""

    row: int
    score: float | None
    opponent: int | None


def bilaf(features: F32, core_rows: I64, budget: int, settings: Settings = Settings()) -> list[int]:
    """The selected rows of `bilaf_picks`."""
    return [pick.row for pick in bilaf_picks(features, core_rows, budget, settings)]


def bilaf_picks(
    features: F32, core_rows: I64, budget: int, settings: Settings = Settings(), measure: Measure = distances
) -> list[Pick]:
    """BiLAF's second stage, paper mode: selected rows by core, in each the core and then the picks in order."""
    to_cores, labels = assign(features, core_rows, measure)
    clusters = [np.flatnonzero(labels == i) for i in range(len(core_rows))]
    split = allocate(budget, [kept_size(len(rows), settings) for rows in clusters])
    selected: list[Pick] = []
    for i, rows in enumerate(clusters):
        core = int(np.flatnonzero(rows == core_rows[i])[0])
        between = measure(features[rows], features[rows])
        kept = _kept(between, core, settings)
        opponents = {other: to_cores[rows, other] for other in range(len(core_rows)) if other != i}
        picks = _pick(between, kept, core, opponents, split[i], settings)
        selected.append(Pick(int(core_rows[i]), None, None))
        selected += [Pick(int(rows[j]), value, int(core_rows[other])) for value, j, other in picks]
    return selected


def _kept(between: F64, core: int, settings: Settings) -> list[int]:
    if len(between) < SMALLEST_CLUSTER:
        return list(range(len(between)))

    def density(position: int, order: list[int]) -> float:
        return mean(np.sort(between[position, order])[: settings.neighbours])

    return sorted(join_order(between, core, settings, density)[: kept_size(len(between), settings)])


def _pick(
    between: F64, kept: list[int], core: int, opponents: dict[int, F64], budget: int, settings: Settings
) -> list[tuple[float, int, int]]:
    """(score, position, opponent) of each pick after the core."""
    intra = {j: mean(between[j, kept]) for j in kept}
    faced = dict.fromkeys(opponents, 0)
    picks: list[tuple[float, int, int]] = []
    last, candidates = core, list(kept)
    removal = len(kept) // budget
    while len(picks) < budget - 1:
        # The pick itself goes first, then its nearest.
        candidates = sorted(candidates, key=lambda j: (j != last, between[last, j], j))[removal:]
        scored = [
            (score(to_core[j], intra[j], _power(settings.penalty, faced[other])), j, other)
            for j in candidates
            for other, to_core in opponents.items()
        ]
        picks.append(min(scored))
        _, last, opponent = picks[-1]
        faced[opponent] += 1
    return picks


def _power(base: float, exponent: int) -> float:
    grown = 1.0
    for _ in range(exponent):
        grown *= base
    return grown


def bilaf_released(features: F32, core_rows: I64, budget: int, settings: Settings = Settings()) -> list[int]:
    """The second stage with the released code's traits (D1, D2, D5, D6, D7, D8 of its analysis), sorts made stable.

    Raises ReleasedCodeCrashes where that code ends in an exception.
    """
    to_cores = distances(features, features[core_rows])
    labels = to_cores.argmin(axis=1)
    if len(core_rows) < 2 or labels[core_rows].tolist() != list(range(len(core_rows))):
        raise ReleasedCodeCrashes("no other core, or a core that lies in another cluster")
    clusters = [np.flatnonzero(labels == i) for i in range(len(core_rows))]
    split = allocate_released(budget, [kept_size(len(rows), settings) for rows in clusters])
    selected: list[int] = []
    for i, rows in enumerate(clusters):
        if split[i] == 0:
            raise ReleasedCodeCrashes("zero budget")
        core = int(np.flatnonzero(rows == core_rows[i])[0])
        between = distances(features[rows], features[rows])
        joined = _joined_released(between, core, settings)
        foreign = to_cores[rows].copy()
        foreign[:, i] = np.inf
        picks = _pick_released(between, joined, core, foreign, split[i], settings)
        selected += [int(rows[position]) for position in picks]
    return selected


def _joined_released(between: F64, core: int, settings: Settings) -> list[int]:
    size = len(between)
    if size < SMALLEST_CLUSTER:
        return list(range(size))
    step = max(1, int(ROUND_RATIO * size))
    order = np.argsort(between[core], kind="stable")[:step].tolist()
    for _ in range(size // step - 1):
        rest = sorted(set(range(size)) - set(order))
        # Places within `order` are taken for rows of the cluster.
        places = {j: np.argsort(between[j, order], kind="stable")[: settings.neighbours] for j in rest}
        order += sorted(rest, key=lambda j: (mean(between[j, places[j]]), j))[:step]
    kept: list[int] = order[: kept_size(size, settings)]
    return kept


def _pick_released(
    between: F64, joined: list[int], core: int, foreign: F64, budget: int, settings: Settings
) -> list[int]:
    intra = {j: mean(between[j, joined]) for j in joined}
    opponent = foreign.argmin(axis=1)
    faced = [0] * foreign.shape[1]
    picks, candidates = [core], list(joined)
    removal = len(joined) // budget
    if budget > 1 and core not in joined:
        raise ReleasedCodeCrashes("core lost")
    while len(picks) < budget:
        last = picks[-1]
        candidates = sorted(candidates, key=lambda j: between[last, j])[removal:]
        scores = [
            score(foreign[j, opponent[j]], intra[j], _power(settings.penalty, faced[opponent[j]])) for j in candidates
        ]
        pick = candidates[int(np.argmin(scores))]
        picks.append(pick)
        if pick != core:
            faced[opponent[pick]] += 1
    return picks
