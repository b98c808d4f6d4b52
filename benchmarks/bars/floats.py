"""The rows' part of an ActiveFT step without its exactness: what that is measured against."""

from __future__ import annotations

import numpy as np

from afray.algorithms import attraction, numerics
from afray.algorithms.attraction import F32, F64, I32, Field
from afray.algorithms.gemm import Compute
from afray.algorithms.jit import compiled
from bars.products import BLOCK


def pull_into_floats(features: F32, field: Field) -> None:
    """The product's step, but for sums in float32."""
    search = attraction.Search(field.units, Compute())
    vectors, weights = np.zeros_like(field.units), np.zeros(len(field.units), np.float32)
    for first in range(0, len(features), BLOCK):
        block = features[first : first + BLOCK]
        winners = search.winners(block)
        _add_exact_weights(block, winners, field.units, field.totals, field.temperature, vectors, weights)


def pull_in_floats(features: F32, field: Field) -> None:
    """What a step does to rows when last digits do not matter: the product's own cosines, sums in float32."""
    vectors, weights = np.zeros_like(field.units), np.zeros(len(field.units), np.float32)
    for first in range(0, len(features), BLOCK):
        block = features[first : first + BLOCK]
        scores = np.empty((len(field.units), len(block)), np.float32)
        Compute().product(field.units, block.T, scores)
        best, second = np.full(len(block), -np.inf, np.float32), np.full(len(block), -np.inf, np.float32)
        winners = np.zeros(len(block), np.int32)
        attraction.scan(scores, 0, best, second, winners)
        _add_rough_weights(block, winners, best, field.totals, field.temperature, vectors, weights)


@compiled
def _add_exact_weights(
    block: F32, winners: I32, units: F32, totals: F64, temperature: float, vectors: F32, weights: F32
) -> None:
    for i in range(block.shape[0]):
        c = winners[i]
        weight = attraction.weight_ticks(numerics.dot(block, i, units, c), totals[c], temperature)
        weights[c] += weight
        for q in range(block.shape[1]):
            vectors[c, q] += weight * block[i, q]


@compiled
def _add_rough_weights(
    block: F32, winners: I32, cosines: F32, totals: F64, temperature: float, vectors: F32, weights: F32
) -> None:
    for i in range(block.shape[0]):
        c = winners[i]
        weight = attraction.weight_ticks(cosines[i], totals[c], temperature)
        weights[c] += weight
        for q in range(block.shape[1]):
            vectors[c, q] += weight * block[i, q]
