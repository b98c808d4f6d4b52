"""Outputs that somebody edited or a disk damaged: `afray verify` names the first difference, no run builds on them."""

from __future__ import annotations

import hashlib
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
from afray.reporting import certificate as certificates
from afray.reporting.certificate import Certificate

pytestmark = pytest.mark.ray


@pytest.fixture
def output(vector_job: FinishedJob, tmp_path: Path) -> Path:
    """A copy of a finished output, to be damaged."""
    return Path(shutil.copytree(vector_job.output, tmp_path / "out"))


def first_difference(output: Path) -> str:
    """What `afray verify` says about an output; empty if all is well."""
    checks = verify(str(output), RunSettings(workers=1), RecordingDisplay())
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


def forge(output: Path, old: bytes, new: bytes) -> None:
    """Edit the certificate and all that tells of it: the seals, and the commit that holds it."""
    document = jobs.json_of(output / "certificate.json")
    del document["seals"]
    text = json.dumps(document).encode()
    assert old in text
    forged = certificates.write(Certificate.model_validate_json(text.replace(old, new)))
    record = json.loads((output / "selection" / "files.ok").read_text())
    record["blobs"]["certificate.json"] |= {"sha256": hashlib.sha256(forged).hexdigest(), "size": len(forged)}
    (output / "selection" / "files.ok").write_text(json.dumps(record))
    for path in (output / "certificate.json", blob(output, "files.1.certificate.json")):
        path.write_bytes(forged)


def spec_digest_of(output: Path) -> bytes:
    return str(jobs.json_of(output / "certificate.json")["specDigest"]).encode()


def claim_another_python(output: Path) -> None:
    """Seal an edited certificate anew, and touch nothing else."""
    path = output / "certificate.json"
    found = certificates.read(path.read_bytes())
    code = found.code.model_copy(update={"python": "4.0"})
    path.write_bytes(certificates.write(found.model_copy(update={"code": code})))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


TASKS, FORM = "handover/label-studio/tasks-00001.json", "handover/csv/rows-00001.csv"

DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "selection.csv": (lambda output: edit(output / "selection.csv", b'"core"', b'"boundary"'), "selection.csv differs"),
    "selection.parquet": (lambda output: truncate(output / "selection.parquet"), "selection.parquet differs"),
    "a missing table": (lambda output: (output / "excluded.parquet").unlink(), "excluded.parquet differs"),
    "a form that was filled in where it lies": (
        lambda output: edit(output / FORM, b",,", b',"good",'),
        f"{FORM} differs",
    ),
    "missing tasks": (lambda output: (output / TASKS).unlink(), f"{TASKS} differs"),
    "the certified seed": (
        lambda output: edit(output / "certificate.json", b'"seed": 0', b'"seed": 1'),
        "certificate.json: field seed: edited since it was written",
    ),
    "a forged seed": (
        lambda output: forge(output, b'"seed": 0', b'"seed": 1'),
        "seed differs: certified 1, found 0",
    ),
    "a forged digest of the spec": (
        lambda output: forge(output, spec_digest_of(output), b"a" * 64),
        f"specDigest differs: certified {'a' * 64}",
    ),
    "forged counters": (lambda output: forge(output, b'"listed": 600', b'"listed": 601'), "counters differs"),
    "a certificate that was sealed anew": (claim_another_python, "certificate.json differs"),
    "the report": (
        lambda output: edit(output / "report.json", b'"listed":600', b'"listed":601'),
        "report.json differs",
    ),
    "a missing report": (lambda output: (output / "report.json").unlink(), "report.json differs"),
    "the page": (lambda output: (output / "report.html").write_text("<p>better</p>"), "report.html differs"),
    "the arrays": (lambda output: truncate(blob(output, "rows.1.arrays.npz")), "selection/rows.1.arrays.npz differs"),
    "the commit of the selection": (
        lambda output: (output / "selection" / "rows.ok").unlink(),
        "selection/rows.ok differs: certified present, found absent",
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


def test_a_run_puts_right_what_was_published_and_shows_what_it_says(vector_job: FinishedJob, output: Path) -> None:
    manifest = vector_job.elsewhere(output)
    before = {path: path.read_bytes() for path in [*output.glob("*.*"), *output.glob("handover/*/*")]}
    assert {"report.html", "report.json", "certificate.json", "selection.csv", "job.json"} <= {p.name for p in before}
    (output / "report.html").unlink()
    truncate(output / "report.json")
    edit(output / "selection.csv", b'"core"', b'"boundary"')
    truncate(output / "certificate.json")
    (output / "excluded.parquet").unlink()
    (output / TASKS).unlink()
    truncate(output / FORM)
    assert jobs.run(manifest) == vector_job.report
    assert {path: path.read_bytes() for path in before} == before


def test_the_page_is_that_of_the_last_run_also_where_labels_came_and_went(
    vector_job: FinishedJob, output: Path, tmp_path: Path
) -> None:
    names = ("report.html", "report.json")
    first = [(output / name).read_bytes() for name in names]
    labels = jobs.write_labels(tmp_path / "labels.csv", dict.fromkeys(jobs.row_ids(600), "good"))
    jobs.run(vector_job.elsewhere(output, {"spec.pool.labels": {"uri": str(labels), "format": "csv"}}))
    assert [(output / name).read_bytes() for name in names] != first
    jobs.run(vector_job.elsewhere(output))
    assert [(output / name).read_bytes() for name in names] == first
    assert first_difference(output) == ""
