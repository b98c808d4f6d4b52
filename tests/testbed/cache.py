"""Artifacts that cost minutes to make, kept outside the checkout under the hash of everything that defines them.

An artifact is a folder. It appears whole or not at all: made beside its place under a lock, then renamed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed.steps import StepFailed

DIGITS = 16


def root() -> Path:
    """Return the folder of all artifacts: below $AFRAY_CACHE, else below ~/.cache/afray."""
    chosen = os.environ.get("AFRAY_CACHE")
    return (Path(chosen) if chosen else Path.home() / ".cache" / "afray") / "testbed"


def cached(name: str, defined_by: Iterable[str | bytes], make: Callable[[Path], None]) -> Path:
    """Return the folder of an artifact; on the first call `make` fills it."""
    folder = root() / f"{name}-{_digest(defined_by)}"
    if folder.is_dir():
        return folder
    with _locked(folder):
        if not folder.is_dir():
            _make(folder, make)
    return folder


def keep_newest(name: str, count: int) -> None:
    """Remove all but the newest artifacts of this name: for those that every change of the sources makes anew."""
    made = sorted(root().glob(f"{name}-*"), key=lambda folder: folder.stat().st_mtime, reverse=True)
    for old in made[count:]:
        shutil.rmtree(old, ignore_errors=True)


def require_space(needed_bytes: int, place: Path, step: str) -> None:
    """Raise StepFailed when the disk of `place` has less room than a step is known to need."""
    existing = next(folder for folder in (place, *place.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < needed_bytes:
        reason = f"{place} has {free / 1e9:.1f} GB free, this needs about {needed_bytes / 1e9:.0f}"
        raise StepFailed(step, reason, "free some space, or point AFRAY_CACHE, GOCACHE and GOMODCACHE to a larger disk")


def _make(folder: Path, make: Callable[[Path], None]) -> None:
    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        make(building)
        building.chmod(0o755)
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _digest(parts: Iterable[str | bytes]) -> str:
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(f"{len(data)}:".encode() + data)
    return total.hexdigest()[:DIGITS]


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
