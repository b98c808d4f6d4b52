"""What this machine offers to a run."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from afray.runtime.session import usable_cpus

BYTES_PER_WORKER = 3 * 2**30
"""Libraries, a model and a shard: below this a worker is likelier to be killed than to help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Workers to start, and whether each has a GPU of its own."""

    workers: int
    has_gpus: bool


def find_machine(workers: int | None) -> Machine:
    """As many workers as asked for, else one per GPU, else one per CPU as far as memory goes."""
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    fitting = max(1, min(usable_cpus(), memory_bytes() // BYTES_PER_WORKER))
    return Machine(workers=workers or gpus or fitting, has_gpus=gpus >= (workers or 1))


def memory_bytes() -> int:
    """Physical memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
