"""Two hours of series for every metric of the docs, as promtool's tests take them: a job in each phase, all at work."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from helpers.metric_names import documented

VALUES: Mapping[str, tuple[str, ...]] = {
    "namespace": ("a",),
    "name": ("welds",),
    "queue": ("q",),
    "pod": ("one", "two"),
    "phase": ("Queued", "Running", "Retrying", "Failed"),
    "state": ("listed", "readable", "unique", "kept", "selected"),
    "le": ("1", "60", "+Inf"),
}
"""Of labels that queries choose by; others have one value."""
OTHERWISE = ("x",)


def series() -> list[dict[str, str]]:
    """One for each combination of values that a metric can have."""
    return [
        {"series": f"{name}{{{', '.join(labels)}}}", "values": _values(name, labels)}
        for name, known in sorted(documented().items())
        for labels in _labels(name, sorted(known))
    ]


def _labels(name: str, known: list[str]) -> Iterator[tuple[str, ...]]:
    chosen = [label for label in known if label != "le" or name.endswith("_bucket")]
    return itertools.product(*([f'{label}="{value}"' for value in VALUES.get(label, OTHERWISE)] for label in chosen))


def _values(name: str, labels: tuple[str, ...]) -> str:
    if name.endswith("_ratio"):
        return "0+0.005x120"
    if name.endswith(("_total", "_count", "_sum")):
        return "0+10x120"
    if name.endswith("_bucket"):
        place = next(place for place, value in enumerate(VALUES["le"]) if f'le="{value}"' in labels)
        return f"0+{place + 1}x120"
    return "1x120"
