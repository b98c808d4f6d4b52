"""Differences and their intervals against scipy's own paired test, and what the report shows of them."""

from __future__ import annotations

import re

import numpy as np
import plotly.offline
import pytest
from scipy import stats

from afray.evaluation import bench_report
from afray.evaluation.cells import Cell
from afray.evaluation.comparison import Table, pair, tabulate
from afray.evaluation.metrics import Metrics

ACCURACIES = {
    ("random", 50): [0.70, 0.66, 0.72],
    ("kmeans", 50): [0.74, 0.75, 0.73],
    ("random", 9): [0.4, 0.5, 0.3],
    ("kmeans", 9): [0.5, 0.6, 0.7],
}


def cell(method: str, budget: int, seed: int, accuracy: float) -> Cell:
    linear = Metrics(accuracy=accuracy, macro_recall=accuracy / 2, classes_hit=8 + seed, test_rows=100)
    nearest = Metrics(accuracy=accuracy - 0.1, macro_recall=0.5, classes_hit=8 + seed, test_rows=100)
    return Cell(method=method, budget=budget, seed=seed, linear=linear, nearest=nearest, seconds=2.0)


def table(seeds: int = 3) -> Table:
    cells = [
        cell(method, budget, seed, accuracy)
        for (method, budget), accuracies in ACCURACIES.items()
        for seed, accuracy in reversed(list(enumerate(accuracies[:seeds])))
    ]
    return tabulate(cells, "random")


@pytest.mark.parametrize("count", [2, 5, 30])
def test_the_paired_interval_is_that_of_scipys_paired_t_test(count: int) -> None:
    rng = np.random.default_rng(count)
    values, base = rng.normal(0.75, 0.02, count), rng.normal(0.7, 0.03, count)
    difference = pair(values.tolist(), base.tolist())
    expected = stats.ttest_rel(values, base).confidence_interval(0.95)
    assert difference.mean == pytest.approx((values - base).mean())
    assert difference.low == pytest.approx(expected.low)
    assert difference.high == pytest.approx(expected.high)


def test_a_single_seed_has_a_difference_but_no_interval() -> None:
    difference = pair([0.75], [0.5])
    assert (difference.mean, difference.low, difference.high) == (0.25, None, None)


def test_rows_summarise_seeds_and_compare_with_the_base_at_the_same_budget() -> None:
    row = table().row("kmeans", 50)
    assert row.accuracy == pytest.approx(0.74)
    assert row.accuracy_sd == pytest.approx(0.01)
    assert row.macro_recall == pytest.approx(0.37)
    assert row.classes_hit == 9
    assert row.difference == pair(ACCURACIES["kmeans", 50], ACCURACIES["random", 50])
    assert row.nearest_difference is not None
    assert row.nearest_difference.mean == pytest.approx(0.14 / 3)


def test_the_base_has_no_difference_to_itself_and_budgets_ascend() -> None:
    rows = table().rows
    assert [(row.method, row.budget) for row in rows] == [
        ("random", 9), ("kmeans", 9), ("random", 50), ("kmeans", 50),
    ]  # fmt: skip
    assert rows[0].difference is None


def test_markdown_shows_points_and_intervals() -> None:
    text = bench_report.to_markdown(table(), "Bench of welds")
    assert text.startswith("# Bench of welds\n")
    assert "3 seeds" in text
    difference = pair(ACCURACIES["kmeans", 50], ACCURACIES["random", 50])
    assert difference.low is not None
    assert f"| 50 | kmeans | 74.0 ± 1.0 | {100 * difference.mean:+.1f} [{100 * difference.low:+.1f}, " in text


def test_the_plot_is_one_file_that_asks_nothing_of_the_network() -> None:
    page = bench_report.to_html(table(), "Bench of welds")
    assert "Bench of welds" in page
    assert "kmeans" in page
    library = plotly.offline.get_plotlyjs()
    assert library in page
    assert not re.findall(r"<link|<img|<iframe|src=|@import", page.replace(library, ""))


def test_numbers_survive_a_single_seed() -> None:
    text = bench_report.to_markdown(table(seeds=1), "One seed")
    assert "| 50 | kmeans | 74.0 | +4.0 |" in text
    assert "plotly" in bench_report.to_html(table(seeds=1), "One seed")
