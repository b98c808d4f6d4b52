"""How much memory a worker may fill with buffers: what its machine or container has left, shared by its workers.

Blocks that would not fit shrink (`Compute.memory`); where not even the smallest fit, a run says so before it starts
instead of being killed in the middle.
"""

from __future__ import annotations

from pathlib import Path

from afray.algorithms.gemm import Compute
from afray.errors import Retryable

MEBIBYTE = 2**20
SMALLEST = 64 * MEBIBYTE
"""Buffers below this would be rows instead of blocks."""
SHARE = 0.5
"""Of what is left: mapped rows live in the rest."""
BYTES_PER_CENTRE_NUMBER = 32
"""Copies of all centres in a worker: as they are, transposed, and in float64 while norms are taken."""


def available_bytes(root: Path = Path("/")) -> int:
    """Memory that processes may still take here: of the container if it has a limit, else of the machine.

    Page cache counts as free: the kernel gives it up.
    """
    meminfo = root / "proc/meminfo"
    if not meminfo.exists():
        return 2**40  # another system than Linux: it swaps instead of killing
    fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
    free = int(fields["MemAvailable"].split()[0]) * 1024
    group = root / "sys/fs/cgroup"
    limit, used = group / "memory.max", group / "memory.current"
    if not limit.exists() or not used.exists() or limit.read_text().strip() == "max":
        return free
    return min(free, int(limit.read_text()) - int(used.read_text()) + _cached_bytes(group / "memory.stat"))


def _cached_bytes(stat: Path) -> int:
    if not stat.exists():
        return 0
    fields = dict(line.split() for line in stat.read_text().splitlines())
    return int(fields.get("inactive_file", 0)) + int(fields.get("active_file", 0))


def fit(available: int, workers: int, centres: int, dim: int) -> Compute:
    """What each of `workers` on a machine with `available` bytes left may compute with.

    Raises Retryable where the centres and the smallest blocks do not fit.
    """
    fixed = BYTES_PER_CENTRE_NUMBER * centres * dim
    share = int(available * SHARE / workers)
    if share < fixed + SMALLEST:
        needed = (fixed + SMALLEST) * workers / SHARE
        raise Retryable(
            f"not enough memory to select: {available / MEBIBYTE:,.0f} MiB are left for {workers} workers of one "
            f"machine, {centres:,} centres of {dim} numbers need {needed / MEBIBYTE:,.0f}. "
            "Run with fewer workers, give them more memory, or stop what else takes it"
        )
    return Compute(memory=min(share - fixed, Compute().memory))
