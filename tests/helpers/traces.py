"""What a testbed has left on this machine, found without asking the testbed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
PER_PROCESS = ("cmdline", "cgroup", "mountinfo")
"""Files of /proc that name an instance if a process belongs to it, or sees a mount of it."""


def traces(name: str) -> list[str]:
    """Name everything that carries an instance's name: processes and their mounts, groups, files."""
    groups = [*CGROUPS.glob(name), *CGROUPS.glob(f"*/{name}")]
    files = Path(tempfile.gettempdir()).glob(f"*{name}*")
    return [*_processes(name), *(str(path) for path in (*groups, *files))]


def _processes(name: str) -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        if not _read(process / "cmdline"):  # a zombie: it has ended, and process 1 has not looked yet
            continue
        for file in PER_PROCESS:
            if name in _read(process / file):
                yield f"{process / file}: {_read(process / 'cmdline')}"


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").replace("\0", " ")
    except OSError:  # it has ended meanwhile
        return ""
