"""`afray run` as a process of its own, and the sudden end of exactly one process of a run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import ray

from afray.runtime.crew import Crew

ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 240
"""For what has to happen sooner or later, on however busy a machine."""
AT_WORK_SECONDS = 1
"""How long a worker is looked for that is at work just now; after that an idle one will do."""


def afray(
    *arguments: object, environment: Mapping[str, str] | None = None, first: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the program to its end; `first` is Python for the new process to start with."""
    with started(*arguments, environment=environment, first=first) as process:
        output, errors = process.communicate(timeout=WAIT_SECONDS)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


@contextmanager
def started(
    *arguments: object, environment: Mapping[str, str] | None = None, first: str = ""
) -> Iterator[subprocess.Popen[str]]:
    """The program while it works; what is left of it at the end is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"{first}\nfrom afray.cli.main import main\nmain()", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
        cwd=ROOT,
    )
    try:
        yield process
    finally:
        for pid in [process.pid, *descendants(process.pid)]:
            end(pid)
        process.communicate()


def this_session() -> dict[str, str]:
    """What lets another process work in the Ray session of this one: it starts sooner, and its workers are ours."""
    return {"RAY_ADDRESS": ray.get_runtime_context().gcs_address}


def end(pid: int) -> None:
    """Kill a process, if it is still there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


class Seat(Protocol):
    """One place in a crew."""

    task: int | None


class NextTask:
    """Kills the worker of a crew that is given the next task, once it has it: until then all workers stand still."""

    def __init__(self) -> None:
        self.killed: int | None = None
        self._thread: threading.Thread | None = None

    def start(self, crew: Crew) -> None:
        workers = dict(zip(crew.pids, crew.seats, strict=True))
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        self._thread = threading.Thread(target=self._kill, args=(workers,))
        self._thread.start()

    def join(self) -> None:
        assert self._thread is not None, "the moment never came"
        self._thread.join()
        assert self.killed is not None

    def _kill(self, workers: dict[int, Seat]) -> None:
        wait_until(lambda: any(seat.task is not None for seat in workers.values()), "the next task")
        victim, *_ = (pid for pid, seat in workers.items() if seat.task is not None)
        end(victim)
        self.killed = victim
        for pid in workers.keys() - {victim}:
            os.kill(pid, signal.SIGCONT)


class Killer:
    """Kills one Ray worker below this process, from a thread of its own; if one is seen at work, that one."""

    def __init__(self) -> None:
        self.killed = ""
        self._thread = threading.Thread(target=self._hunt)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> str:
        """Wait for the kill; returns the victim's title."""
        self._thread.join()
        assert self.killed, "there was no worker to kill"
        return self.killed

    def _hunt(self) -> None:
        began = time.monotonic()
        while not self.killed and time.monotonic() < began + WAIT_SECONDS:
            is_patient = time.monotonic() < began + AT_WORK_SECONDS
            for pid, title in descendants(os.getpid()).items():
                if title.startswith("ray::Worker") and ("." in title or not is_patient):
                    end(pid)
                    self.killed = title
                    return


def descendants(root: int) -> dict[int, str]:
    """The running processes that `root` started, directly or not: their titles by pid."""
    parents: dict[int, int] = {}
    titles: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            title = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue  # it ended meanwhile
        if state not in "ZX":
            parents[int(folder.name)], titles[int(folder.name)] = int(parent), title
    return {pid: titles[pid] for pid in parents if root in _line(pid, parents)}


def _line(pid: int, parents: Mapping[int, int]) -> Iterator[int]:
    while pid := parents.get(pid, 0):
        yield pid


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_until(happened: Callable[[], object], what: str) -> None:
    """Look again and again; `what` is said if it never happens."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not happened():
        assert time.monotonic() < deadline, f"did not happen: {what}"
        time.sleep(0.03)
