"""The driver's side of an ActiveFT step: unit vectors on a grid, the gradient, Adam.

Everything here runs in one fixed order of float64 operations, so theta has the same bits on every machine. The unit
vectors are rounded to multiples of 2**-24: then they are exact in float32, and so are their products in float64.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from afray.algorithms import attraction, repulsion, units
from afray.algorithms.jit import compiled

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

TEMPERATURE = 0.07
LEARNING_RATE = 1e-3
MEAN_DECAY, SQUARE_DECAY, SMALLEST_ROOT = 0.9, 0.999, 1e-8
"""Adam's beta 1, beta 2 and epsilon."""
GRID = float(1 << 24)
"""Steps per unit of a unit vector's component."""


class Descent:
    """K free vectors theta, walking down the loss of ActiveFT; Adam's state goes with them."""

    def __init__(self, start: F32) -> None:
        self.theta: F64 = start.astype(np.float64)
        self._mean = np.zeros_like(self.theta)
        self._square = np.zeros_like(self.theta)
        self._mean_share = self._square_share = 1.0
        """beta**t by multiplication: the library's power function may differ between machines."""
        self._renew()

    def gradient(self, pull: attraction.Pull, push: repulsion.Push) -> F64:
        """Of the loss with respect to theta (K, D), for the pull and push at the present `units`."""
        gradient = np.empty_like(self.theta)
        scale = 1.0 / (attraction.WEIGHT_TICKS * pull.rows * TEMPERATURE)
        _gradient(self.units, self._norms, pull.vectors, pull.weights, push.totals, push.vectors, scale, gradient)
        return gradient

    def step(self, gradient: F64) -> None:
        """One step of Adam."""
        self._mean_share *= MEAN_DECAY
        self._square_share *= SQUARE_DECAY
        corrections = np.array([1.0 - self._mean_share, 1.0 - self._square_share])
        _adam(self.theta, gradient, self._mean, self._square, corrections)
        self._renew()

    def _renew(self) -> None:
        lengths = units.norms(self.theta)
        self._norms = np.where(lengths > 0.0, lengths, 1.0)
        self.units: F32 = (np.rint(self.theta / self._norms[:, None] * GRID) / GRID).astype(np.float32)


@compiled
def _gradient(
    directions: F32, norms: F64, pulls: I64, weights: I64, totals: F64, pushes: F64, scale: float, gradient: F64
) -> None:
    """Closed form of the loss as released: (weights / totals * pushes - pulls) / (rows tau), the tangential part."""
    for c in range(directions.shape[0]):
        pushed = weights[c] / totals[c]
        radial = 0.0
        for q in range(directions.shape[1]):
            gradient[c, q] = (pushed * pushes[c, q] - pulls[c, q]) * scale
            radial += gradient[c, q] * directions[c, q]
        for q in range(directions.shape[1]):
            gradient[c, q] = (gradient[c, q] - radial * directions[c, q]) / norms[c]


@compiled
def _adam(theta: F64, gradient: F64, mean: F64, square: F64, corrections: F64) -> None:
    for c in range(theta.shape[0]):
        for q in range(theta.shape[1]):
            g = gradient[c, q]
            mean[c, q] = MEAN_DECAY * mean[c, q] + (1.0 - MEAN_DECAY) * g
            square[c, q] = SQUARE_DECAY * square[c, q] + (1.0 - SQUARE_DECAY) * (g * g)
            root = math.sqrt(square[c, q] / corrections[1]) + SMALLEST_ROOT
            theta[c, q] -= LEARNING_RATE * (mean[c, q] / corrections[0]) / root
