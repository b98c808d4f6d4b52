"""How much memory this process takes."""

from __future__ import annotations

import ctypes
import math
import resource
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

SELF = Path("/proc/self")
M_MMAP_THRESHOLD = -3
"""Of glibc's malloc.h."""
LARGE_BLOCK = 8 * 2**20
"""Bytes from which a block is given back when it is freed: more than every block of rows needs anew, for fresh pages
take as long as filling them."""
SWEEP_SECONDS = 2.0


def peak_bytes() -> int:
    """Largest resident size of this process so far."""
    status = SELF / "status"
    if status.exists():  # getrusage starts a child at its parent's size
        return _kibibytes(status)["VmHWM"] * 1024
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def share_bytes(process: Path = SELF) -> int:
    """What a process holds now; of pages that it shares with n others, its n-th part. Where that is unknown, its peak.

    Raises OSError for another process that has ended, or that is somebody else's.
    """
    rollup = process / "smaps_rollup"
    if not rollup.exists():
        return peak_bytes() if process == SELF else 0
    return _kibibytes(rollup).get("Pss", 0) * 1024


def give_back() -> None:
    """Return to the system what was freed: workers keep it for their next batch, and there may be none."""
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


class ThriftyHeap:
    """A heap that keeps little of what is freed, from the moment that this is made.

    Encoders gain by one that keeps everything (`session.MALLOC`). Steps of a selection do not: buffers of one fit into
    none of the holes that another left. Measured: 10 MiB more with every step of ActiveFT.
    """

    def __init__(self) -> None:
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)
        self._swept = -math.inf

    def sweep(self) -> None:
        """Give back what is free, unless that has just been done."""
        if time.monotonic() - self._swept >= SWEEP_SECONDS:
            give_back()
            self._swept = time.monotonic()


def _kibibytes(file: Path) -> Mapping[str, int]:
    fields = (line.split(":", 1) for line in file.read_text().splitlines() if ":" in line)
    return {name: int(value.split()[0]) for name, value in fields if value.strip().endswith("kB")}
