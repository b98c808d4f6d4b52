"""Counting for Ray's exporter. Where no Ray session is, nothing is counted: nobody could ask for it.

Workers send what they counted to the agent of their node every ten seconds, and the agent keeps the sum after they are
gone. Light to import: Ray is only used where it is in use already.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any, Final, Protocol

from afray.contract.metrics import JobLabels, RayMetric


class Meter(Protocol):
    """Where work is counted. Cheap enough for every batch, not for every row."""

    def count(self, counter: RayMetric, amount: float, **labels: str) -> None:
        """Add to a counter; its own labels are given, those of the job are known."""
        ...


class SilentMeter:
    """Counts nothing."""

    def count(self, counter: RayMetric, amount: float, **labels: str) -> None:
        """Do nothing."""


SILENT: Final = SilentMeter()


class RayMeter:
    """A job's meter in this process; sent to another process, it counts there."""

    def __init__(self, job: JobLabels) -> None:
        self._job, self._labels = job, asdict(job)
        self._instruments: dict[str, Any] = {}

    def __reduce__(self) -> tuple[type[RayMeter], tuple[JobLabels]]:
        return RayMeter, (self._job,)

    def count(self, counter: RayMetric, amount: float, **labels: str) -> None:
        if amount > 0 and _is_in_session():  # Ray refuses to add nothing
            self._instrument(counter).inc(float(amount), tags={**self._labels, **labels})

    def _instrument(self, counter: RayMetric) -> Any:
        if counter.name not in self._instruments:
            from ray.util.metrics import Counter

            self._instruments[counter.name] = Counter(counter.name, counter.help, counter.all_labels)
        return self._instruments[counter.name]


def _is_in_session() -> bool:
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())
