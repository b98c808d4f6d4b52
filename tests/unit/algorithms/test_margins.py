from __future__ import annotations

import numpy as np
import pytest
from helpers import round_oracle, synthetic

from afray.algorithms import margins
from afray.algorithms.gemm import Compute
from afray.algorithms.margins import CERTAIN, UNCERTAIN, LinearModel


def make_model(dim: int, classes: int, scale: float = 2.0) -> LinearModel:
    rng = np.random.default_rng(classes)
    return LinearModel(weights=rng.normal(0.0, scale, (classes, dim)), offsets=rng.normal(0.0, 0.3, classes))


@pytest.mark.parametrize("kind", synthetic.KINDS)
@pytest.mark.parametrize("classes", [2, 3, 12])
def test_uncertainty_is_one_minus_the_margin_whatever_the_product(kind: str, classes: int) -> None:
    features = synthetic.small_pool(kind, classes).features
    model = make_model(features.shape[1], classes)
    scores = features.astype(np.float64) @ model.weights.T + model.offsets
    expected = [round_oracle.margin(row) for row in scores]
    found, other = (margins.uncertainties(features, model, Compute(gemm=gemm)) for gemm in ("numpy", "torch"))
    np.testing.assert_allclose(found, expected, atol=1)
    np.testing.assert_array_equal(found, other)


def test_what_the_product_cannot_tell_is_scored_again(monkeypatch: pytest.MonkeyPatch) -> None:
    features = synthetic.small_pool("mixture", 1).features
    model = make_model(features.shape[1], 5)
    expected = margins.uncertainties(features, model, Compute()).tolist()
    monkeypatch.setattr(margins, "_margin_error", lambda *_: 0.3)
    assert margins.uncertainties(features, model, Compute()).tolist() == expected


def test_the_scale_ends_at_certain_and_at_undecided_rows() -> None:
    model = LinearModel(weights=np.array([[1e4], [-1e4], [-1e4]]), offsets=np.zeros(3))
    found = margins.uncertainties(np.array([[1.0], [-1.0]], np.float32), model, Compute())
    assert found.tolist() == [CERTAIN, UNCERTAIN]
