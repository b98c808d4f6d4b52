"""Whether the process that owns something is still there, told exactly or not at all.

A pid alone lies: it is reused, and containers count their own. So a process is remembered with its start time and
with the space its pid is counted in; outside that space nothing can be said.
"""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

_ENDED = ("Z", "X")


class Liveness(Enum):
    """What is known about a process."""

    ALIVE = "alive"
    ENDED = "ended"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process as another one can recognise it."""

    host: str
    """For people to read."""
    space: str
    """Processes of one space have distinct pids: one boot of one machine and one container."""
    pid: int
    started: str | None
    """Clock ticks after boot; None where the system does not tell."""


def this_process() -> Process:
    """Describe the running process."""
    pid = os.getpid()
    return Process(host=socket.gethostname(), space=_space(), pid=pid, started=_started(pid))


def liveness(process: Process) -> Liveness:
    """Tell whether a process runs, as seen from this one."""
    if process.space != _space():
        return Liveness.UNKNOWN
    if not _exists(process.pid):
        return Liveness.ENDED
    started = _started(process.pid)
    if process.started is None:
        return Liveness.UNKNOWN
    return Liveness.ALIVE if started == process.started else Liveness.ENDED


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _started(pid: int) -> str | None:
    """Return the start time of a running process, None if it has ended or the system has no /proc."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The command name, in parentheses, may hold spaces; the fields of proc(5) go on after it with number 3.
    fields = status.rpartition(")")[2].split()
    return None if fields[0] in _ENDED else fields[19]


def _space() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"{socket.gethostname()}/{uuid.getnode():x}"
