"""What this machine offers, and the settings of a run that follow from it."""

from __future__ import annotations

import os

from afray.driver.workspace import RunSettings
from afray.runtime.session import usable_cpus

BYTES_PER_WORKER = 3 * 2**30
"""Libraries, a model and a shard: below this a worker is likelier to be killed than to help."""


def local_settings(workers: int | None) -> RunSettings:
    """Settings of `afray run`: one worker per GPU, else per CPU as far as memory goes."""
    gpus = count_gpus()
    if workers is not None:
        return RunSettings(workers=workers)
    if gpus:
        return RunSettings(workers=gpus, expects_gpu=True)
    return RunSettings(workers=max(1, min(usable_cpus(), memory_bytes() // BYTES_PER_WORKER)))


def count_gpus() -> int:
    """CUDA devices that torch can use."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def memory_bytes() -> int:
    """Physical memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
