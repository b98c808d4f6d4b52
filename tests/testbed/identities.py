"""Who a process is: its number and when it started, since numbers are given out again."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

GONE_SECONDS = 15.0
LOOK_SECONDS = 0.02
STATE, START_TICKS = 0, 19
"""Fields of /proc/<pid>/stat, counted behind the name, which may hold anything."""


@dataclass(frozen=True, slots=True)
class Identity:
    """One process, also when it is long gone and another has its number."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Identity:
        """Return who a process is now; one that has ended was never there."""
        facts = _facts(pid)
        return cls(pid, int(facts[START_TICKS]) if facts else -1)

    def is_alive(self) -> bool:
        """Tell whether it still runs; a zombie does not."""
        facts = _facts(self.pid)
        return facts is not None and int(facts[START_TICKS]) == self.started and facts[STATE] not in "ZX"

    def kill(self) -> None:
        """End it at once, without waiting until it is gone."""
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def await_end(self) -> None:
        """Wait until it is gone after a kill, with all that the kernel ends together with it."""
        deadline = time.monotonic() + GONE_SECONDS
        while self.is_alive() and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)


def _facts(pid: int) -> list[str] | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
