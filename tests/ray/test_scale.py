"""The scale run's sections on Ray, on a pool that is small; `make nightly-scale` has the large one."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
from helpers.jobs import RecordingDisplay
from helpers.repository import ROOT

from afray.driver.jobs import run_job
from afray.driver.workspace import RunSettings

pytestmark = pytest.mark.ray


def test_a_finished_run_is_repeated_by_the_clock_and_with_killed_workers(
    ray_cpus: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    plan, pool, speed, equality = (
        importlib.import_module(f"scale.{name}") for name in ("plan", "pool", "speed", "equality")
    )
    small = plan.like_imagenet(3000, steps=6, workers=2, folder=tmp_path)
    pool.write(small)
    run_job(plan.read_job(small), RunSettings(workers=2), RecordingDisplay())
    timed, losses = speed.measure(small), equality.compare_after_losses(small)
    assert [bar.holds for bar in [*timed, *losses]] == [None, None, True, True]
    assert {bar.doubt for bar in timed} == {small.doubt, ""}


def test_two_rounds_are_run_and_watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    plan, rounds = (importlib.import_module(f"scale.{name}") for name in ("plan", "rounds"))
    done = rounds.run_two(plan.like_imagenet(6000, steps=6, workers=2, folder=tmp_path))
    assert done.peak > done.driver_peak > 0
    certificate = json.loads((tmp_path / "round-2-6000-30" / "certificate.json").read_text())
    assert certificate["selectionDigest"] == done.digest
    assert certificate["previous"]
