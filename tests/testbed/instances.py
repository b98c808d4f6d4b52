"""One testbed on this machine: its folder, its processes, and how all of it goes away.

Everything an instance makes carries its name: the folder, the cgroups. Networks have no names at all and end with the
processes in them. A record in the folder lets another process take an instance down: the one that was asked to, or the
next one that starts and finds the owner dead.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from testbed.commands import Argument
from testbed.identities import Identity
from testbed.processes import Service

PREFIX = "afray-testbed-"
RECORD = "instance.json"
CGROUPS = Path("/sys/fs/cgroup")
EMPTY_SECONDS = 15.0
LOOK_SECONDS = 0.05


@dataclass(slots=True)
class Instance:
    """A folder that owns processes and cgroups. With `stays` it outlives the process that made it."""

    folder: Path
    stays: bool
    owner: Identity
    processes: list[Identity] = field(default_factory=list)
    _services: list[Service] = field(default_factory=list)

    @classmethod
    def create(cls, *, stays: bool = False) -> Instance:
        """Make a new instance, after clearing away those whose owners died."""
        for left in existing():
            if left.is_abandoned():
                left.down()
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        folder.chmod(0o755)
        instance = cls(folder, stays, Identity.of(os.getpid()))
        instance._write_record()
        return instance

    @property
    def name(self) -> str:
        """Unique on this machine."""
        return self.folder.name

    def start(
        self,
        name: str,
        command: Sequence[Argument],
        *,
        environment: Mapping[str, str] | None = None,
        inherits: Sequence[int] = (),
    ) -> Service:
        """Start a program that ends with this instance; its log is <folder>/<name>.log."""
        log = self.folder / f"{name}.log"
        service = Service.start(name, command, log=log, stays=self.stays, environment=environment, inherits=inherits)
        self._services.append(service)
        self.processes.append(Identity.of(service.process.pid))
        self._write_record()
        return service

    def is_abandoned(self) -> bool:
        """Tell whether nobody will take it down any more."""
        return not self.stays and not self.owner.is_alive()

    def ended(self) -> list[str]:
        """Name the programs that this process started and that do not run any more, each with its exit code."""
        started = {service.name: service for service in self._services}  # the last of each name: others were restarted
        return [
            f"{name} ({service.process.returncode})" for name, service in started.items() if not service.is_running()
        ]

    def down(self) -> None:
        """End every process and remove every trace; what is gone already is not missed."""
        for process in reversed(self.processes):
            process.kill()
        for process in self.processes:
            process.await_end()
        for service in self._services:
            service.process.wait()
        remove_cgroups(self.name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write_record(self) -> None:
        record = {
            "stays": self.stays,
            "owner": [self.owner.pid, self.owner.started],
            "processes": [[process.pid, process.started] for process in self.processes],
        }
        written = self.folder / f".{RECORD}"
        written.write_text(json.dumps(record))
        written.replace(self.folder / RECORD)


def existing() -> Iterator[Instance]:
    """Yield every instance on this machine that can be read by this user."""
    for record in sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{RECORD}")):
        try:
            facts = json.loads(record.read_text())
        except (FileNotFoundError, PermissionError):
            continue
        processes = [Identity(*pair) for pair in facts["processes"]]
        yield Instance(record.parent, facts["stays"], Identity(*facts["owner"]), processes)


def remove_cgroups(name: str) -> None:
    """Remove the groups of an instance, innermost first, as their last processes vanish."""
    deadline = time.monotonic() + EMPTY_SECONDS
    while left := [folder for root in _cgroup_roots(name) for folder in _inside_out(root)]:
        for folder in left:
            _try_to_remove(folder)
        if time.monotonic() > deadline:
            return
        time.sleep(LOOK_SECONDS)


def _cgroup_roots(name: str) -> list[Path]:
    return [*CGROUPS.glob(name), *CGROUPS.glob(f"*/{name}")]


def _inside_out(root: Path) -> list[Path]:
    return [Path(folder) for folder, _, _ in os.walk(root, topdown=False)]


def _try_to_remove(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # a process in it is still ending, or another sweeper was first
        return
