"""A process that owns an output: `python -m helpers.owning <uri> <spec digest>`.

It says `ready`, waits for a line, says which epoch it took or `refused`, and waits for another line to end.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from afray.errors import OwnershipError
from afray.storage.ownership import Owner, Ownership
from afray.storage.store import Store


class OwningProcess:
    """The other end of its pipes."""

    def __init__(self, store: Store, spec_digest: str, environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "helpers.owning", store.uri, spec_digest],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment, "PYTHONPATH": str(Path(__file__).parents[1])},
            cwd=Path(__file__).parents[2],
        )
        assert self.hear() == "ready"

    def go_on(self) -> None:
        """Send a line."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        """Wait for a line."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """End it without a chance to let go."""
        self.process.kill()
        self.process.communicate()


def own(uri: str, spec_digest: str) -> None:
    """Do what this module says."""
    say("ready")
    sys.stdin.readline()
    try:
        with Ownership.acquire(Store.open(uri), Owner.of_run(), spec_digest) as ownership:
            say(str(ownership.epoch))
            sys.stdin.readline()
    except OwnershipError:
        say("refused")
        sys.stdin.readline()


def say(word: str) -> None:
    """Send a line at once."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    own(sys.argv[1], sys.argv[2])
