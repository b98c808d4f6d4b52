"""Benchmarks start and count right; what they measure is not for tests."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest
from helpers.repository import ROOT


@pytest.fixture
def benchmark(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A script of benchmarks/ as a module."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    for kernel in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        monkeypatch.delenv(kernel, raising=False)
    return importlib.import_module(request.param)


@pytest.mark.parametrize("benchmark", ["activeft"], indirect=True)
@pytest.mark.parametrize(
    ("chosen", "numbers"),
    [(["--only", "bits"], ["12"]), ([], ["9", "12", "that and exact winners and weights", "14", "12"])],
)
def test_the_benchmark_of_activeft_runs_all_sections_or_the_chosen_ones(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, chosen: list[str], numbers: list[str]
) -> None:
    for name, value in {"ROWS": 300, "CENTRES": 5, "TIMED_STEPS": 1, "COMPARED_STEPS": 2}.items():
        monkeypatch.setattr(benchmark, name, value)
    monkeypatch.setattr("sys.argv", ["activeft", "--json", str(tmp_path / "bars.json"), *chosen])

    benchmark.main()

    bars = json.loads((tmp_path / "bars.json").read_text())
    assert [bar["bar"].partition(":")[0] for bar in bars] == numbers
    assert all(bar["holds"] for bar in bars if "theta" in bar["bar"])


@pytest.mark.parametrize("benchmark", ["embed_pool"], indirect=True)
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_workers_in_step_are_no_faster_for_where_the_clock_starts(benchmark: ModuleType, workers: int) -> None:
    # Each worker takes 10 s for a shard of 50 rows.
    commits = [(10.0 * (1 + n // workers), 50) for n in range(3 * workers)]
    assert benchmark.images_per_second(commits, workers=workers) == pytest.approx(5.0 * workers)


@pytest.mark.parametrize("benchmark", ["embed_pool"], indirect=True)
def test_a_short_last_shard_counts_by_its_rows(benchmark: ModuleType) -> None:
    commits = [(10.0, 50), (10.5, 50), (20.0, 50), (20.5, 8)]
    assert benchmark.images_per_second(commits, workers=2) == pytest.approx(58 / 10.0)
