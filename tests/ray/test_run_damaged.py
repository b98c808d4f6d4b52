"""Outputs that somebody edited or a disk damaged: `afray verify` names the first difference, no run builds on them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import jobs
from helpers.jobs import FinishedJob, RecordingDisplay
from typer.testing import CliRunner

from afray.cli.main import app
from afray.driver.verifying import verify
from afray.driver.workspace import RunSettings
from afray.errors import IntegrityError

pytestmark = pytest.mark.ray


@pytest.fixture
def output(vector_job: FinishedJob, tmp_path: Path) -> Path:
    """A copy of a finished output, to be damaged."""
    return Path(shutil.copytree(vector_job.output, tmp_path / "out"))


def first_difference(output: Path) -> str:
    """What `afray verify` says about an output; empty if all is well."""
    checks = verify(str(output), RunSettings(workers=2), RecordingDisplay())
    try:
        return next((str(check) for check in checks if not check.holds), "")
    except IntegrityError as error:
        return str(error)


def edit(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


def blob(output: Path, name: str) -> Path:
    """The one file of this name somewhere below an output."""
    (found,) = output.rglob(name)
    return found


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "selection.csv": (lambda output: edit(output / "selection.csv", b'"core"', b'"boundary"'), "selection.csv differs"),
    "selection.parquet": (lambda output: truncate(output / "selection.parquet"), "selection.parquet differs"),
    "a missing table": (lambda output: (output / "excluded.parquet").unlink(), "excluded.parquet differs"),
    "the certified seed": (
        lambda output: edit(output / "certificate.json", b'"seed": 0', b'"seed": 1'),
        "certificate.json: field seed: edited since it was written",
    ),
    "the job": (lambda output: edit(output / "job.json", b'"seed": 0', b'"seed": 1'), "job.json differs"),
    "vectors": (lambda output: truncate(blob(output, "00002.1.vectors.npy")), "embeddings shard 2 differs"),
    "missing vectors": (lambda output: blob(output, "00002.1.vectors.npy").unlink(), "embeddings shard 2 differs"),
    "row facts": (lambda output: truncate(blob(output, "00003.1.rows.parquet")), "00003.1.rows.parquet: it has"),
    "a missing commit": (lambda output: blob(output, "00003.ok").unlink(), "is gone from a finished output"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_verify_names_what_was_damaged(damage: str, output: Path) -> None:
    do_damage, named = DAMAGES[damage]
    do_damage(output)
    before = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    assert named in first_difference(output)
    assert {path: path.read_bytes() for path in output.rglob("*") if path.is_file()} == before


def test_verify_as_a_command_leaves_with_68_and_names_both_digests(output: Path) -> None:
    truncate(output / "selection.csv")
    ended = CliRunner().invoke(app, ["verify", str(output), "-o", "json"])
    assert (ended.exit_code, ended.stdout) == (68, "")
    assert f"error: file://{output}: selection.csv differs: certified " in ended.stderr


def test_verify_as_a_command_repeats_the_selection(vector_job: FinishedJob) -> None:
    ended = CliRunner().invoke(app, ["verify", str(vector_job.output), "-o", "json", "--workers", "1"])
    assert ended.exit_code == 0, ended.stderr
    assert json.loads(ended.stdout)["checks"][-1] == "selection"


def test_an_output_without_a_finished_selection_cannot_be_verified(tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["verify", str(tmp_path)])
    assert ended.exit_code == 65
    assert "there is no finished selection here. Run `afray run` first" in ended.stderr


def test_a_run_does_not_build_on_truncated_vectors_and_its_remedy_works(vector_job: FinishedJob, output: Path) -> None:
    """As if the driver had been killed before the selection, and the disk had lost a page."""
    for unfinished in ("selection", "report"):
        shutil.rmtree(output / unfinished)
    (output / "certificate.json").unlink()
    vectors = blob(output, "00002.1.vectors.npy")
    truncate(vectors)
    manifest = vector_job.elsewhere(output)
    said = jobs.refused(manifest, 68)
    assert f"{vectors}: it has" in said
    assert "delete the .ok object of its result to have it computed again" in said
    blob(output, "00002.ok").unlink()
    assert jobs.run(manifest).selection_digest == vector_job.digest
