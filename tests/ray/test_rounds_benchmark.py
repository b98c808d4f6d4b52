"""The benchmark of rounds on a small set of vectors; `make nightly-rounds` has the real ones."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
from helpers.labelled import blobs
from helpers.repository import ROOT

pytestmark = pytest.mark.ray


def test_cells_of_all_seeds_are_found_in_one_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    comparing, samples = (importlib.import_module(f"rounds.{name}") for name in ("comparing", "samples"))
    made = blobs(200, classes=4, noise=0.8)
    vectors = samples.Samples(vectors=made.vectors, labels=made.labels, groups=np.arange(200))
    benches = list(comparing.by_split(lambda: vectors, 0.25)(tmp_path, (0, 1)))
    found = [cell for bench in benches for cell in comparing.run(bench, (8, 12))]

    table = comparing.tabulate(found, (12,), (0, 1))
    assert [(row.method, row.budget, row.seeds) for row in table.rows] == [
        ("kmeans", 12, 2), ("uherding@2", 12, 2), ("uherding@4", 12, 2),
    ]  # fmt: skip
    assert "| 12 | uherding@4 |" in comparing.to_markdown(table)
    bars = importlib.import_module("rounds.__main__")
    assert bars.gain(table.rows[1]) == pytest.approx(100 * (table.rows[1].accuracy - table.rows[0].accuracy))
