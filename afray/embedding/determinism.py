"""What must hold while a model runs, so that its vectors are the same bits on every machine of one device class."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


def pin_threads() -> None:
    """One thread within an operation, for this process: a worker owns one CPU slot, and sums split by threads differ.

    Call it at the start of a worker, from the thread that will encode.
    """
    torch.set_num_threads(1)


def reserve_workspace() -> None:
    """Make matrix products on CUDA reproducible. Has an effect only before the first of them in this process."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@contextmanager
def deterministic_kernels() -> Iterator[None]:
    """Deterministic kernels and true float32 within the block; the process' settings return behind it."""
    before = torch.get_deterministic_debug_mode()
    memory: Any = torch.utils.deterministic  # torch makes its attribute at run time, unseen by type checkers
    was_filled = memory.fill_uninitialized_memory
    # Not `use_deterministic_algorithms`, which tells the compiler too, and imports it: seconds in each new worker.
    torch.set_deterministic_debug_mode("error")
    # Filling is a debugging aid that costs time; inference reads nothing that was not written.
    memory.fill_uninitialized_memory = False
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        memory.fill_uninitialized_memory = was_filled
        torch.set_deterministic_debug_mode(before)
