"""A meter that remembers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from afray.contract.metrics import RayMetric


@dataclass
class RecordingMeter:
    """Sums by metric and its own labels, in the order in which they are declared."""

    counted: defaultdict[tuple[str, ...], float] = field(default_factory=lambda: defaultdict(float))

    def count(self, counter: RayMetric, amount: float, **labels: str) -> None:
        assert set(labels) == set(counter.labels)
        self.counted[counter.name, *(labels[label] for label in counter.labels)] += amount

    def of(self, counter: RayMetric) -> dict[tuple[str, ...], float]:
        """What one counter came to, by its labels."""
        return {tuple(labels): amount for (name, *labels), amount in self.counted.items() if name == counter.name}
