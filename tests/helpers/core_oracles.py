"""Core selectors as their papers or their rules word them: float64, plain loops, nothing shared with the product.

Ties go to the lower row, the lower cluster and the lower centre.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


def distances(a: F32, b: F32) -> F64:
    """Euclidean distances by differences: (len(a), len(b))."""
    return np.stack([np.sqrt(((row - b.astype(np.float64)) ** 2).sum(axis=1)) for row in a.astype(np.float64)])


def ticks(a: F32, b: F32) -> I64:
    """Distances on the product's grid of 2**-36."""
    return np.rint(distances(a, b) * 2.0**36).astype(np.int64)


def snap(features: F32, centres: F32) -> list[int]:
    """Each centre in turn takes its nearest row that is left."""
    taken: list[int] = []
    for to_rows in ticks(centres, features):
        left = [row for row in range(len(features)) if row not in taken]
        taken.append(min(left, key=lambda row: (to_rows[row], row)))
    return taken


def farthest_first(features: F32, first: int, size: int) -> list[int]:
    """k-centre greedy: the row that is furthest from all picks, again and again."""
    picks, nearest = [first], distances(features[[first]], features)[0]
    while len(picks) < size:
        left = [row for row in range(len(features)) if row not in picks]
        picks.append(max(left, key=lambda row: (nearest[row], -row)))
        nearest = np.minimum(nearest, distances(features[picks[-1:]], features)[0])
    return picks


def typicality(features: F32, members: list[int], neighbours: int = 20) -> list[tuple[float, int]]:
    """Mean distance of each member to its nearest other members, with the member; most typical first."""
    count = min(neighbours, len(members) - 1)
    between = distances(features[members], features[members])
    means = []
    for position, member in enumerate(members):
        nearest = sorted(np.delete(between[position], position))[:count]
        means.append((math.fsum(nearest) / max(count, 1), member))
    return sorted(means)


def typiclust(features: F32, labels: I64, size: int) -> list[int]:
    """Most typical row per cluster, large clusters first; labels of empty clusters go round, largest cluster first."""
    clusters = [np.flatnonzero(labels == label).tolist() for label in range(size)]
    ranked = [typicality(features, members) for members in sorted(clusters, key=len, reverse=True) if members]
    picks: list[int] = []
    while len(picks) < size:
        for members in ranked:
            if members and len(picks) < size:
                picks.append(members.pop(0)[1])
    return picks


def kmeans(features: F32, start: I64, rounds: int = 20) -> F32:
    """Centres of spherical k-means over rows rounded to 2**-30; an empty cluster keeps its centre."""
    whole = [[round(float(value) * 2**30) for value in row] for row in features]
    centres = np.stack([_direction([float(v) for v in features[row]], features[row]) for row in start])
    before: list[int] | None = None
    for _ in range(rounds):
        labels = [int(np.argmin(to_centres)) for to_centres in ticks(features, centres)]
        if labels == before:
            break
        before = labels
        for centre in range(len(start)):
            members = [whole[row] for row, label in enumerate(labels) if label == centre]
            if members:
                centres[centre] = _direction(
                    [float(sum(column)) for column in zip(*members, strict=True)], centres[centre]
                )
    return centres


def _direction(vector: list[float], otherwise: F32) -> F32:
    length = math.sqrt(math.fsum(value * value for value in vector))
    return np.array([value / length for value in vector], np.float32) if length else otherwise


def activeft_loss(theta: torch.Tensor, features: torch.Tensor, temperature: float = 0.07) -> torch.Tensor:
    """The loss as released: the other factor of the centre products is held fixed, k = c included."""
    centres = torch.nn.functional.normalize(theta, dim=1)
    similarity = features @ centres.T / temperature
    winner = similarity.argmax(dim=1)
    attraction = similarity.gather(1, winner[:, None])[:, 0]
    repulsion = torch.exp(centres.detach() @ centres.T / temperature).sum(dim=0)[winner]
    return (-attraction + torch.log(torch.exp(attraction) + repulsion)).mean()


def activeft(features: F32, start: I64, steps: int) -> F64:
    """Unit centres after so many steps of Adam on the loss, by autograd."""
    rows = torch.from_numpy(features.astype(np.float64))
    theta = rows[torch.from_numpy(start)].clone().requires_grad_()
    adam = torch.optim.Adam([theta], lr=1e-3)
    for _ in range(steps):
        adam.zero_grad()
        activeft_loss(theta, rows).backward()  # type: ignore[no-untyped-call]
        adam.step()
    return torch.nn.functional.normalize(theta.detach(), dim=1).numpy()
