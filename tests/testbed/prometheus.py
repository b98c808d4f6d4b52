"""Prometheus and promtool, out of Debian's package, which is not installed: no server starts, nobody has to be root."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Literal

from testbed.cache import cached
from testbed.commands import run
from testbed.debian import NO_INDEX
from testbed.steps import step

PACKAGE = "prometheus"
Name = Literal["prometheus", "promtool"]


def missing() -> str | None:
    """Return why neither program can be had here, None if they can."""
    if shutil.which("promtool") is not None:
        return None
    tools = [name for name in ("apt-get", "dpkg-deb") if shutil.which(name) is None]
    if not tools:
        return None
    return f"there is no promtool on the PATH, and no {' and no '.join(tools)} to fetch Debian's package {PACKAGE}"


def program(name: Name) -> Path:
    """Return the path of a program: that of this machine, or one that is fetched on the first call."""
    found = shutil.which(name)
    return Path(found) if found else cached(PACKAGE, [PACKAGE], _fetch) / "usr" / "bin" / name


def _fetch(folder: Path) -> None:
    with step(f"fetching Debian's package {PACKAGE}"):
        if os.geteuid() == 0:
            run(["apt-get", "update"], remedy=NO_INDEX)
        run(["apt-get", "download", PACKAGE], cwd=folder, remedy=f"let root run `apt-get update`, or {NO_INDEX}")
        (archive,) = folder.glob("*.deb")
        run(["dpkg-deb", "--extract", archive, folder], remedy=NO_INDEX)
        archive.unlink()
