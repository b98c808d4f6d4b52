"""No room left to write: the run ends with 74, and goes on where it stopped once there is room."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import jobs
from helpers.faults import afray
from helpers.jobs import At, FinishedJob, RecordingDisplay

from afray.storage.claims import Owner

pytestmark = pytest.mark.ray
CAN_MOUNT = 1 << 21
"""CAP_SYS_ADMIN."""
SMALL_FILES_ONLY = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))"


def may_mount() -> bool:
    status = Path("/proc/self/status")
    if not status.exists():
        return False
    capabilities = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
    return bool(int(capabilities["CapEff"], 16) & CAN_MOUNT)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "afray-test", folder], check=True)
    try:
        yield folder
    finally:
        # Lazily: workers that are just being killed may still map files there.
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(ballast: Path) -> None:
    """Take all the room that is left."""
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 10, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


if may_mount():

    def test_a_disk_that_fills_up_ends_the_run_until_there_is_room(vector_job: FinishedJob, small_disk: Path) -> None:
        output, ballast = small_disk / "out", small_disk / "ballast"
        manifest = vector_job.elsewhere(output)
        display = RecordingDisplay([At("embed pool", lambda: fill(ballast), done=1)])
        # A process that goes on living, as tests do, has no other way to say that its first run is over: no beat fits.
        owner = Owner.of_job("uid")
        said = jobs.refused(manifest, 74, display=display, owner=owner)
        assert f"{output}/" in said
        assert "no room left to write" in said
        assert "finished work is kept" in said
        embedded = jobs.commit_epochs(output, "embeddings")
        assert embedded
        ballast.unlink()
        assert jobs.run(manifest, owner=owner).selection_digest == vector_job.digest
        assert {name: jobs.commit_epochs(output, "embeddings")[name] for name in embedded} == embedded

    def test_no_room_for_features_is_said_before_a_page_of_them_is_missed(
        vector_job: FinishedJob, small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        manifest = vector_job.elsewhere(tmp_path / "out")
        fill(small_disk / "ballast")
        monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
        said = jobs.refused(manifest, 74)
        assert f"{small_disk}/afray-scratch-" in said
        assert "no room for the pool's features, 0.0 MiB" in said
        (small_disk / "ballast").unlink()
        assert jobs.run(manifest).selection_digest == vector_job.digest
        assert not list(small_disk.iterdir())


def test_a_file_that_cannot_be_written_whole_is_not_there(vector_job: FinishedJob, tmp_path: Path) -> None:
    output = tmp_path / "out"
    made = vector_job.elsewhere(output)
    ended = afray("run", jobs.write_manifest(tmp_path / "job.yaml", made), first=SMALL_FILES_ONLY)
    assert ended.returncode == 74, ended.stderr
    assert "no room left to write" in ended.stderr
    assert not [name for name in jobs.commit_epochs(output, "index") if "part-" in name]
    assert max(path.stat().st_size for path in output.rglob("*") if path.is_file()) < 1500
    assert jobs.run(made).selection_digest == vector_job.digest
