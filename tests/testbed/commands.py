"""Running programs to their end, with their output in the message when they fail."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from testbed.steps import StepFailed, excerpt

Argument = str | Path


def run(
    command: Sequence[Argument],
    *,
    remedy: str,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    given: str | None = None,
    timeout_seconds: float | None = None,
) -> str:
    """Run a program and return what it printed; `given` is its standard input. Raises StepFailed with the remedy."""
    shown = " ".join(str(word) for word in command)
    try:
        ended = subprocess.run(
            command, cwd=cwd, env=environment, input=given, capture_output=True, text=True, timeout=timeout_seconds
        )
    except FileNotFoundError as error:
        raise StepFailed(shown, f"there is no program {command[0]}", remedy) from error
    except subprocess.TimeoutExpired as error:
        raise StepFailed(shown, f"it did not end within {timeout_seconds:.0f} s", remedy) from error
    if ended.returncode != 0:
        raise StepFailed(shown, f"exit code {ended.returncode}\n{excerpt(ended.stderr or ended.stdout)}", remedy)
    return ended.stdout
