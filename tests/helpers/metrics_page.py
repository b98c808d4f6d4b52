"""Families of metrics, as docs/metrics.md lists them and as the operator and Ray expose them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from helpers.repository import ROOT
from prometheus_client.metrics_core import Metric

PAGE = ROOT / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|([^|]*)\| ([^|]*) \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True, order=True)
class Family:
    """One metric; labels in alphabetical order."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


def documented(prefix: str = "afray") -> list[Family]:
    """What the page says of metrics whose names begin so: the operator's own, or those of Ray's nodes."""
    rows = ROW.findall(PAGE.read_text())
    return sorted(
        Family(name, kind, tuple(sorted(re.findall(r"\w+", labels))), says)
        for name, kind, labels, says in rows
        if name.startswith(f"{prefix}_")
    )


def exposed(metrics: Iterable[Metric]) -> list[Family]:
    """What is exposed; of a family without series no label is known."""
    return sorted(map(_family, metrics))


def _family(metric: Metric) -> Family:
    name = f"{metric.name}_total" if metric.type == "counter" else metric.name
    labels = {label for sample in metric.samples for label in sample.labels} - {"le"}
    return Family(name, metric.type, tuple(sorted(labels)), metric.documentation)
