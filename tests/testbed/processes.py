"""Long-running processes of a testbed: each with a log file, each ended with its owner unless it is to stay.

An owner that is killed cannot clean up, so the kernel does: a child asks for SIGKILL at its parent's death. The kernel
means the parent's *thread*; therefore one thread that lives as long as this process starts them all.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from testbed.commands import Argument
from testbed.steps import StepFailed, excerpt

DIES_WITH_OWNER = ("setpriv", "--pdeathsig", "KILL", "--")
LOOK_SECONDS = 0.05
END_SECONDS = 10.0

_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="testbed-starter")


@dataclass(frozen=True, slots=True)
class Service:
    """A running program and its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(
        cls,
        name: str,
        command: Sequence[Argument],
        *,
        log: Path,
        stays: bool = False,
        environment: Mapping[str, str] | None = None,
        inherits: Sequence[int] = (),
    ) -> Service:
        """Start a program in its own session, in the folder of its log.

        With `stays` it outlives its owner. `inherits` are open descriptors that it gets too.
        """
        words = [*(() if stays else DIES_WITH_OWNER), *command]
        process = _starter.submit(_start, words, log, environment, inherits).result()
        return cls(name, process, log)

    def is_running(self) -> bool:
        """Tell whether the program has not ended."""
        return self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program alone."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End the program at once, paused or not, and wait until it is gone."""
        self.process.kill()
        self.process.wait(END_SECONDS)

    def await_ready(self, is_ready: Callable[[], bool], *, seconds: float) -> None:
        """Wait until `is_ready`. Raises StepFailed with the end of the log if the program ends, or time does."""
        deadline = time.monotonic() + seconds
        while not is_ready():
            if not self.is_running():
                raise self._failure(f"it ended with exit code {self.process.returncode}")
            if time.monotonic() > deadline:
                raise self._failure(f"it was not ready within {seconds:.0f} s")
            time.sleep(LOOK_SECONDS)

    def _failure(self, reason: str) -> StepFailed:
        said = excerpt(self.log.read_text(errors="replace"))
        return StepFailed(f"starting {self.name}", f"{reason}\n{said}", f"read {self.log}, the whole log")


def _start(
    words: Sequence[Argument], log: Path, environment: Mapping[str, str] | None, inherits: Sequence[int]
) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=log.parent,
            pass_fds=tuple(inherits),
            start_new_session=True,
        )
