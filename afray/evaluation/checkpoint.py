"""Where a finetune stands after an epoch: enough to go on as if it had never stopped.

No random state is in it: every epoch seeds its own (`training.seeded`), from the spec's seed and the epoch's number.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


def _nothing() -> list[Tensor]:
    return []


@dataclass(slots=True, kw_only=True, eq=False)
class Checkpoint:
    """`epochs` of phase `phase` are done."""

    phase: int = 0
    epochs: int = 0
    model: dict[str, Tensor] = field(default_factory=dict)
    """State of the classifier; empty before the first epoch of a phase."""
    optimiser: dict[str, Any] = field(default_factory=dict)
    held_out: list[Tensor] = field(default_factory=_nothing)
    """Class numbers predicted for the held-out rows of each finished phase."""
    seconds: float = 0.0
    """Spent on training so far, interrupted attempts not counted."""

    def to_bytes(self) -> bytes:
        """As torch saves it."""
        buffer = io.BytesIO()
        torch.save({name: getattr(self, name) for name in self.__slots__}, buffer)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Checkpoint:
        """Read back; only tensors and plain values are loaded, never code."""
        return cls(**torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
