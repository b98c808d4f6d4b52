"""`afray bench` from a manifest to its table, started twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.bench_jobs import write_manifest
from typer.testing import CliRunner

from afray.cli.main import app

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cpus")]


def test_methods_are_compared_and_a_second_call_computes_only_what_is_new(tmp_path: Path) -> None:
    manifest, results = write_manifest(tmp_path), tmp_path / "bench"
    options = ["--results", str(results), "--methods", "random,bilaf", "--budgets", "12", "--pool-size", "200"]
    first = CliRunner().invoke(app, ["bench", str(manifest), *options, "--seeds", "0"])
    assert first.exit_code == 0, first.stderr
    kept = (results / "results.jsonl").read_text()
    second = CliRunner().invoke(app, ["bench", str(manifest), *options, "--seeds", "0-2", "-o", "json"])
    assert second.exit_code == 0, second.stderr
    assert (results / "results.jsonl").read_text().startswith(kept)
    table = json.loads(second.stdout)
    assert [(row["method"], row["budget"], row["seeds"]) for row in table["rows"]] == [
        ("random", 12, 3), ("bilaf", 12, 3),
    ]  # fmt: skip
    assert table["rows"][1]["difference"]["low"] < table["rows"][1]["difference"]["high"]
    assert all(Path(file).exists() for file in table["files"])
    assert "| 12 | bilaf |" in (results / "bench.md").read_text()
