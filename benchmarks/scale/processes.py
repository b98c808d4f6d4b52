"""`afray run` as a process of its own, and the memory of all processes that it starts."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import harness
from helpers.faults import descendants
from helpers.processes import cpu_seconds

from afray.runtime import footprint
from scale.plan import Plan, write_manifest

LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run gave and took."""

    digest: str
    seconds: float
    """Of the clock, from the start of the program to its end."""
    peak: int
    """Largest sum of the proportional set sizes of all its processes, in bytes: shared pages count once."""
    largest: tuple[int, ...]
    """Shares of the processes at that moment, in descending order."""
    driver_peak: int
    """The driver's own peak."""
    others: float
    """Cores that other programs kept busy meanwhile."""


class Watch:
    """Looks at a process and all below it again and again."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._cpu: dict[int, float] = {}
        self.peak = self.root_peak = 0
        self.largest: tuple[int, ...] = ()
        """The largest shares at the peak, in bytes, in descending order."""

    @property
    def cpu(self) -> float:
        """CPU seconds of all processes seen."""
        return sum(self._cpu.values())

    def look(self) -> None:
        """One look; the peaks grow."""
        below = descendants(self._root)
        root, *others = (share(pid) for pid in (self._root, *below))
        self.root_peak = max(self.root_peak, root)
        if root + sum(others) > self.peak:
            self.peak, self.largest = root + sum(others), tuple(sorted((root, *others), reverse=True))
        for pid in (self._root, *below):
            with suppress(OSError):
                self._cpu[pid] = cpu_seconds(pid)


@contextmanager
def watching(root: int) -> Iterator[Watch]:
    """Watch `root` from a thread until the context ends."""
    watch, over = Watch(root), threading.Event()

    def look() -> None:
        while not over.wait(LOOK_SECONDS):
            watch.look()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()


def share(pid: int) -> int:
    """Proportional set size of a process, in bytes; 0 for one that has ended."""
    with suppress(OSError):
        return footprint.share_bytes(Path(f"/proc/{pid}"))
    return 0


def run(plan: Plan) -> Run:
    """The plan's job from its first to its last stage."""
    shutil.rmtree(plan.output, ignore_errors=True)
    return run_job(write_manifest(plan), workers=plan.workers)


def run_job(manifest: Path, *, workers: int) -> Run:
    """`afray run` from the first to the last stage; what it says on the way passes through."""
    command = [sys.executable, "-m", "afray", "run", str(manifest), "--workers", str(workers), "-o", "json"]
    began, busy = time.perf_counter(), harness.busy_seconds()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        with watching(process.pid) as watch:
            said, _ = process.communicate()
        if process.returncode:
            raise SystemExit(f"afray run ended with {process.returncode}; its last words are above")
    seconds = time.perf_counter() - began
    return Run(
        digest=json.loads(said)["selectionDigest"],
        seconds=seconds,
        peak=watch.peak,
        largest=watch.largest,
        driver_peak=watch.root_peak,
        others=max(0.0, harness.busy_seconds() - busy - watch.cpu) / seconds,
    )
