"""Local files under ill treatment: killed writers, full disks, missing rights."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from afray.errors import AfrayError
from afray.storage.local import fault
from afray.storage.store import AccessDenied, Store, StoreFull, StoreRefused, StoreUnreachable

CREATE = """
import sys
from pathlib import Path
from afray.storage.store import Store
Store.open(sys.argv[1]).create("data/result", Path(sys.argv[2]))
"""


def await_partial(folder: Path) -> Path:
    """Wait until another process has begun to write."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for path in folder.glob("data/.afray-*.partial"):
            if path.stat().st_size:
                return path
        time.sleep(0.01)
    raise AssertionError("nobody began to write")


def test_a_writer_killed_half_way_leaves_nothing_that_counts(tmp_path: Path) -> None:
    out, pipe = tmp_path / "out", tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = subprocess.Popen([sys.executable, "-c", CREATE, str(out), str(pipe)])
    with pipe.open("wb", buffering=0) as half:
        half.write(b"x" * 60_000)
        half.write(b"x" * 60_000)
        partial = await_partial(out)
        writer.kill()
        writer.wait()
    store = Store.open(str(out))
    assert partial.exists()
    assert list(store.list()) == []
    assert store.head("data/result") is None
    assert store.create("data/result", b"whole")
    assert [entry.key for entry in store.list()] == ["data/result"]


def test_a_finished_write_leaves_no_partial_file(file_store: Store, tmp_path: Path) -> None:
    file_store.create("a", b"1")
    file_store.create("a", b"2")
    file_store.overwrite("b", b"3")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a", "b"}


def test_a_link_that_would_hide_an_object_is_not_followed_by_creation(file_store: Store, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").symlink_to(tmp_path / "nothing")
    assert not file_store.create("a", b"1")
    assert not (tmp_path / "nothing").exists()


@contextmanager
def disk_of_100_kilobytes(folder: Path) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@contextmanager
def files_of_100_kilobytes() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def may_mount() -> bool:
    """Root may, but not in every container."""
    probe = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return sys.platform == "linux" and os.geteuid() == 0 and subprocess.run(probe, capture_output=True).returncode == 0


@pytest.mark.parametrize("limit", ["file size", "disk"] if may_mount() else ["file size"])
def test_without_room_nothing_is_left_and_the_error_says_what_to_do(tmp_path: Path, limit: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    store = Store.open(str(out))
    with disk_of_100_kilobytes(out) if limit == "disk" else files_of_100_kilobytes():
        with pytest.raises(StoreFull) as full:
            store.create("vectors", b"x" * 1_000_000)
        assert list(out.iterdir()) == []
        assert store.create("small", b"1")
    assert str(out / "vectors") in str(full.value)
    assert "Free space" in str(full.value)
    assert full.value.exit_code == 74


@contextmanager
def as_somebody_without_rights() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_place_without_rights_is_an_error_that_says_what_to_check(open_folder: Path) -> None:
    pool, locked = Store.open(str(open_folder)), Store.open(str(open_folder / "locked"))
    pool.create("a", b"1")
    (open_folder / "a").chmod(0)
    (open_folder / "locked").mkdir(mode=0)
    uses: list[Callable[[], object]] = [
        lambda: pool.read("a"),
        lambda: list(pool.list()),
        lambda: list(locked.list()),
        lambda: locked.create("b", b"1"),
        lambda: locked.child("x").head("y"),
        lambda: list(locked.child("x").list()),
    ]
    with as_somebody_without_rights():
        for use in uses:
            with pytest.raises(AccessDenied, match=r"denied.*Check owner and mode"):
                use()
    (open_folder / "locked").chmod(0o755)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, StoreFull),
        (errno.EDQUOT, StoreFull),
        (errno.EACCES, AccessDenied),
        (errno.EROFS, AccessDenied),
        (errno.ENAMETOOLONG, StoreRefused),
        (errno.EIO, StoreUnreachable),
        (errno.ESTALE, StoreUnreachable),
    ],
)
def test_an_error_of_the_system_keeps_its_text_and_gets_our_type(number: int, kind: type[AfrayError]) -> None:
    error = fault(OSError(number, os.strerror(number)), "/data/out/a")
    assert type(error) is kind
    assert "/data/out/a" in str(error)
    assert os.strerror(number) in str(error)


def test_a_file_where_a_folder_is_needed_refuses_what_is_written_below(file_store: Store) -> None:
    file_store.create("a", b"1")
    with pytest.raises(StoreRefused):
        file_store.create("a/b", b"1")
    assert file_store.head("a/b") is None


def test_a_name_too_long_for_the_disk_is_refused(file_store: Store) -> None:
    with pytest.raises(StoreRefused, match="too long"):
        file_store.create("x" * 300, b"1")
