"""What this machine offers to a run that has no pods of its own."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from afray.runtime.session import usable_cpus
from afray.runtime.slots import BYTES_PER_WORKER, Slot

CUDA_DRIVER, ROCM_DEVICE = "libcuda.so.1", Path("/dev/kfd")


def local_slots(workers: int | None) -> tuple[Slot, ...]:
    """As many slots as asked for, else one per GPU, else one per CPU as far as memory goes."""
    gpus = count_gpus()
    fitting = max(1, min(usable_cpus(), memory_bytes() // BYTES_PER_WORKER))
    return (Slot(gpus=1.0 if gpus >= (workers or 1) else 0.0),) * (workers or gpus or fitting)


def count_gpus() -> int:
    """GPUs that torch computes on. Where none has a driver torch is not asked: its import takes seconds."""
    if not has_gpu_driver():
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def has_gpu_driver() -> bool:
    """Whether there is what torch needs to see a GPU."""
    try:
        ctypes.CDLL(CUDA_DRIVER)
    except OSError:
        return ROCM_DEVICE.exists()
    return True


def memory_bytes() -> int:
    """Physical memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
