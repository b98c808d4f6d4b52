"""Benchmarks start and count right; what they measure is not for tests."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers import synthetic
from helpers.faults import descendants, end
from helpers.repository import ROOT


@pytest.fixture
def benchmark(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A script of benchmarks/ as a module."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    for kernel in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        monkeypatch.delenv(kernel, raising=False)
    return importlib.import_module(request.param)


@pytest.mark.parametrize("benchmark", ["bars.__main__"], indirect=True)
def test_every_section_of_the_core_s_bars_runs_and_writes_its_bars(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pools, exactness = importlib.import_module("bars.pools"), importlib.import_module("bars.exactness")
    for module, name, value in [
        (pools, "MEDIUM", pools.Sizes(rows=300, cores=5, labels=50)),
        (pools, "LARGE", pools.Sizes(rows=400, cores=5, labels=50)),
        (exactness, "GOLDEN", [{"budget": 20, "released": "", "paper": ""}]),
        (exactness, "POOLS_PER_KIND", 1),
        (exactness, "TRANSCRIBED_LABELS", 20),
        (exactness, "COMPARED_STEPS", 2),
    ]:
        monkeypatch.setattr(module, name, value)
    sections = set(benchmark.SECTIONS) - {"memory", "workers"}  # these start processes of their own
    monkeypatch.setattr("sys.argv", ["bars", "--json", str(tmp_path / "bars.json"), "--only", *sorted(sections)])

    benchmark.main()

    bars = {bar.pop("bar"): bar for bar in json.loads((tmp_path / "bars.json").read_text())}
    assert {name.split()[0] for name in bars} == {"1", "3", "4", "5", "6", "7", "9", "12", "14", "16", "17"}
    assert all(set(bar) == {"value", "target", "holds", "spread"} for bar in bars.values())
    exact = [bar["holds"] for name, bar in bars.items() if "ways" in name or "transcription" in name]
    assert exact == [True] * 4


@pytest.mark.parametrize("benchmark", ["gpu"], indirect=True)
def test_the_benchmark_of_gpus_finds_equal_ids_on_the_cpu_that_stands_in_for_one(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    report = tmp_path / "bars.json"
    monkeypatch.setattr(
        "sys.argv", ["gpu", "--device", "cpu", "--rows", "900", "--block", "256", "--json", str(report)]
    )
    assert benchmark.main() == 0
    assert [bar["holds"] for bar in json.loads(report.read_text())] == [True] * 3


@pytest.mark.parametrize("benchmark", ["scale.__main__"], indirect=True)
def test_the_scale_run_compares_ids_on_a_pool_of_any_size(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sections = ["coarse", "giant"]  # the others start Ray
    options = ["--rows", "4000", "--folder", str(tmp_path), "--json", str(tmp_path / "bars.json")]
    monkeypatch.setattr("sys.argv", ["scale", *options, "--only", *sections])
    assert benchmark.main() == 0
    assert [bar["holds"] for bar in json.loads((tmp_path / "bars.json").read_text())] == [True] * 3


@pytest.mark.parametrize("benchmark", ["scale.pool"], indirect=True)
def test_the_pool_of_the_scale_run_is_the_generator_s(benchmark: ModuleType, tmp_path: Path) -> None:
    plan = importlib.import_module("scale.plan").like_imagenet(1500, steps=1, workers=1, folder=tmp_path)
    benchmark.write(plan, block=700)
    table = pq.read_table(plan.pool)
    assert table["id"].to_pylist() == sorted(f"row-{row:08d}" for row in range(1500))
    stored = np.array(table["embedding"].to_pylist(), np.float32)
    assert np.array_equal(stored, synthetic.make(1500, plan.cores))


@pytest.mark.parametrize("benchmark", ["scale.processes"], indirect=True)
def test_memory_of_processes_below_another_is_seen_while_they_live(benchmark: ModuleType) -> None:
    below = "import time; taken = bytearray(64 * 2**20); print(1, flush=True); time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {below!r}])"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        watch = benchmark.Watch(process.pid)
        watch.look()
        for pid in descendants(process.pid):
            end(pid)
    assert watch.root_peak < 64 * 2**20 < watch.peak < 2**30


@pytest.mark.parametrize("benchmark", ["cost_model"], indirect=True)
def test_the_page_on_scale_has_the_tables_of_the_model(benchmark: ModuleType) -> None:
    page = benchmark.PAGE.read_text()
    assert benchmark.render(page) == page
    assert page.count("\n| ") > len(benchmark.SIZES) * len(benchmark.WORKERS)


@pytest.mark.parametrize("benchmark", ["cost_model"], indirect=True)
def test_the_model_is_near_what_was_measured(benchmark: ModuleType) -> None:
    said = {point: benchmark.work_of(point) for point in benchmark.POINTS}
    assert len(said) >= 3
    assert {point: value for point, value in said.items() if not 1 / 1.5 < value / point.seconds < 1.5} == {}


@pytest.mark.parametrize("benchmark", ["cost_model"], indirect=True)
def test_more_workers_take_less_time_and_send_more(benchmark: ModuleType) -> None:
    size = benchmark.Size(rows=10**8, cores=10**5, budget=10**6)
    one, few, many = (benchmark.simulate(size, workers) for workers in (1, 8, 64))
    assert one.cores == pytest.approx(8 * few.cores) == pytest.approx(64 * many.cores)
    assert one.sent == few.sent == 0 < many.sent
    assert many.read == 8 * few.read
    assert one.barriers == many.barriers > 200


@pytest.mark.parametrize("benchmark", ["harness"], indirect=True)
@pytest.mark.parametrize(
    ("timing", "holds"),
    [
        ({"spread": 0.1}, True),
        ({"spread": 0.4}, None),
        ({"spread": 0.1, "others": 0.9}, None),
    ],
)
def test_a_machine_that_is_not_quiet_judges_nothing(
    benchmark: ModuleType, tmp_path: Path, timing: dict[str, float], holds: bool | None
) -> None:
    measured = benchmark.Timing(wall=1.0, cpu=1.0, **timing)
    bar = benchmark.judged(benchmark.at_most("6  ratio", 4.0, 5.0), measured)
    assert (bar.holds, bool(bar.doubt)) == (holds, holds is None)
    assert benchmark.conclude("", [bar], tmp_path / "bars.json") == 0
    assert benchmark.conclude("", [benchmark.at_most("6  ratio", 6.0, 5.0)], None) == 1


@pytest.mark.parametrize("benchmark", ["harness"], indirect=True)
def test_work_of_other_processes_is_seen(benchmark: ModuleType) -> None:
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        timing = benchmark.measure({"sleep": lambda: time.sleep(0.2)}, repeats=3)["sleep"]
    finally:
        other.kill()
        other.wait()
    assert timing.others > 0.3 or not Path("/proc/stat").exists()


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
