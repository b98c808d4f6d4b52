"""What this machine offers to a run that has no pods of its own."""

from __future__ import annotations

import os

import torch

from afray.runtime.session import usable_cpus
from afray.runtime.slots import BYTES_PER_WORKER, Slot


def local_slots(workers: int | None) -> tuple[Slot, ...]:
    """As many slots as asked for, else one per GPU, else one per CPU as far as memory goes."""
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    fitting = max(1, min(usable_cpus(), memory_bytes() // BYTES_PER_WORKER))
    return (Slot(gpus=1.0 if gpus >= (workers or 1) else 0.0),) * (workers or gpus or fitting)


def memory_bytes() -> int:
    """Physical memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
