"""`afray validate` on real files: what it shows, where it writes it, and with which exit code it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
import yaml
from helpers.manifests import REMOVED, cluster_manifest, manifest
from PIL import Image
from typer.testing import CliRunner, Result

from afray.cli.validate import validate

REPOSITORY = Path(__file__).parents[3]

app = typer.Typer()
app.command()(validate)


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with ten images in `pool`."""
    monkeypatch.chdir(tmp_path)
    for number in range(10):
        path = tmp_path / "pool" / f"{number // 5}" / f"weld[{number}].png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (20, 10), number * 20).save(path)
    return tmp_path


def write(folder: Path, changes: Mapping[str, object] | None = None) -> str:
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump(manifest({"spec.embedding.imageSize": 32, **(changes or {})})))
    return str(path)


def run(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=text)


def test_the_first_eight_rows_are_shown_with_id_size_and_shape(pool: Path) -> None:
    result = run(write(pool))
    assert result.exit_code == 0
    headline, header, *rows = result.stdout.splitlines()
    assert headline == "weld-pilot: valid for run"
    assert header.split() == ["ID", "BYTES", "CONTENT", "LABEL", "REMARK"]
    assert [row.split()[0] for row in rows] == [f"{n // 5}/weld[{n}].png" for n in range(8)]
    assert all("20 x 10 image -> 3 x 32 x 32" in row for row in rows)
    assert str((pool / "pool/0/weld[0].png").stat().st_size) in rows[0]
    assert result.stderr == ""


def test_the_rows_are_data_too(pool: Path) -> None:
    result = run(write(pool), "-o", "json")
    told = json.loads(result.stdout)
    assert (told["valid"], told["name"], told["target"], len(told["rows"])) == (True, "weld-pilot", "run", 8)
    assert told["rows"][0]["id"] == "0/weld[0].png"
    assert told["rows"][0]["reason"] is None
    assert len(told["specDigest"]) == 64
    assert yaml.safe_load(run(write(pool), "--output", "yaml").stdout) == told
    assert run(write(pool), "-o", "name").stdout == "selectionjob.afray.dev/weld-pilot\n"


def test_an_unreadable_row_is_shown_with_its_reason_and_the_manifest_stays_valid(pool: Path) -> None:
    (pool / "pool/0/weld[3].png").write_bytes(b"")
    result = run(write(pool))
    assert result.exit_code == 0
    assert "quarantined: empty" in next(line for line in result.stdout.splitlines() if "weld[3]" in line)


def test_a_pool_without_one_readable_row_is_an_error(pool: Path) -> None:
    for path in (pool / "pool").rglob("*.png"):
        path.write_text("not an image at all")
    result = run(write(pool))
    assert (result.exit_code, result.stdout) == (65, "")
    assert "error: spec.pool.uri: none of the first 8 rows" in result.stderr
    assert "'0/weld[0].png' is not-an-image" in result.stderr


def test_an_empty_pool_is_an_error(pool: Path) -> None:
    (pool / "empty").mkdir()
    result = run(write(pool, {"spec.pool.uri": "empty"}))
    assert result.exit_code == 65
    assert "empty pool" in result.stderr


def test_labels_are_shown_beside_their_rows(pool: Path) -> None:
    (pool / "labels.csv").write_text("id,label\n0/weld[1].png,scratch\n")
    result = run(write(pool, {"spec.pool.labels": {"uri": "labels.csv", "format": "csv"}}))
    assert "scratch" in next(line for line in result.stdout.splitlines() if "weld[1]" in line)
    assert result.stderr == ""


def test_labels_of_other_ids_are_noted(pool: Path) -> None:
    (pool / "labels.csv").write_text("id,label\nweld[1].png,scratch\n")
    result = run(write(pool, {"spec.pool.labels": {"uri": "labels.csv", "format": "csv"}}))
    assert result.exit_code == 0
    assert "note: none of these rows has a label in labels.csv" in result.stderr


def test_a_missing_label_file_is_an_error(pool: Path) -> None:
    result = run(write(pool, {"spec.pool.labels": {"uri": "none.csv", "format": "csv"}}))
    assert (result.exit_code, result.stdout) == (66, "")
    assert "none.csv" in result.stderr


def test_rows_of_an_embeddings_pool_are_vectors(pool: Path) -> None:
    (pool / "vectors").mkdir()
    vectors = np.ones((3, 16), np.float32)
    vectors[1, 5] = np.nan
    table = pa.table({"id": ["a", "b", "c"], "embedding": list(vectors)})
    pq.write_table(table, pool / "vectors/rows.parquet")
    changes = {"spec.pool": {"uri": "vectors", "format": "embeddings"}, "spec.embedding": REMOVED}
    (pool / "job.yaml").write_text(yaml.safe_dump(manifest(changes)))
    result = run("job.yaml")
    assert result.exit_code == 0, result.stderr
    first, second, third = result.stdout.splitlines()[2:]
    assert "vector of 16 numbers" in first
    assert "quarantined: non-finite" in second
    assert "vector of 16 numbers" in third


def test_an_invalid_manifest_is_told_on_stderr_and_ends_with_64(pool: Path) -> None:
    result = run(write(pool, {"spec.selection.core": {"size": 101}, "spec.output.uri": "pool/out"}))
    assert (result.exit_code, result.stdout) == (64, "")
    assert f"error: {pool}/job.yaml: 2 problems\n" in result.stderr
    line = (pool / "job.yaml").read_text().splitlines().index("      size: 101") + 1
    assert f"spec.selection.core.size (line {line}) is larger than the budget of 100 rows\n" in result.stderr
    assert "    value: 101\n" in result.stderr
    assert "    next:  Lower it to at most 100, or raise budget.count: cores are part of the budget.\n" in result.stderr


def test_the_problems_are_data_too(pool: Path) -> None:
    result = run(write(pool, {"spec.pool.format": "image"}), "-o", "json")
    assert result.exit_code == 64
    told = json.loads(result.stdout)
    assert told["valid"] is False
    assert told["problems"][0]["field"] == "spec.pool.format"
    assert told["problems"][0]["remedy"].startswith("Did you mean images?")


def test_the_rules_of_a_cluster_can_be_asked_for(pool: Path) -> None:
    result = run(write(pool), "--for", "cluster", "--offline")
    assert result.exit_code == 64
    assert "spec.runtime (line 5) is required on a cluster" in result.stderr
    assert "spec.pool.uri" in result.stderr


def test_a_cluster_manifest_checked_for_run_says_what_run_does_not_use(pool: Path) -> None:
    (pool / "job.yaml").write_text(yaml.safe_dump(cluster_manifest({"spec.pool.uri": "pool"})))
    result = run("job.yaml", "--for", "run")
    assert result.exit_code == 0
    assert "note: afray run does not use spec.runtime, spec.cluster" in result.stderr


def test_a_manifest_may_come_from_stdin(pool: Path) -> None:
    result = run("-", text=Path(write(pool)).read_text())
    assert result.stdout.startswith("weld-pilot: valid for run")


def test_a_manifest_that_is_not_there_is_a_usage_error(pool: Path) -> None:
    assert run("nowhere.yaml").exit_code == 2


def test_nothing_is_cut_or_wrapped_in_a_pipe(pool: Path) -> None:
    long = "w" * 200
    Image.new("L", (20, 10)).save(pool / "pool/0" / f"{long}.png")
    assert f"0/{long}.png " in run(write(pool)).stdout


def in_another_process(pool: Path, preparation: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = (
        f"import sys; {preparation}\nimport typer; from afray.cli.validate import validate\n"
        "app = typer.Typer(); app.command()(validate)\n"
        "try: app(sys.argv[1:])\n"
        "finally: print(sorted({'numpy', 'pyarrow', 'torch', 'ray', 'PIL', 'numba'} & sys.modules.keys()))"
    )
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, env={"PYTHONPATH": str(REPOSITORY)}, cwd=pool, capture_output=True, text=True)


def test_offline_imports_nothing_of_the_data_plane(pool: Path) -> None:
    told = in_another_process(pool, "pass", write(pool), "--offline")
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines() == ["weld-pilot: valid for run", "[]"]


def test_the_base_install_validates_offline_and_says_what_reading_rows_needs(pool: Path) -> None:
    without_extras = "sys.modules.update(dict.fromkeys(['numpy', 'pyarrow', 'torch', 'PIL', 'ray', 'numba']))"
    assert in_another_process(pool, without_extras, write(pool), "--offline").returncode == 0
    told = in_another_process(pool, without_extras, write(pool))
    assert told.returncode == 67
    assert "pip install 'afray[run]'" in told.stderr
    assert "--offline" in told.stderr


def test_an_output_below_the_working_directory_that_is_the_pool_is_refused(pool: Path) -> None:
    result = run("--offline", write(pool, {"spec.pool.uri": ".", "spec.output.uri": "outhere"}))
    assert result.exit_code == 64
    assert "is pool.uri or lies below it" in result.stderr
