"""What an expression of Prometheus asks for, and what of it the tables of docs/metrics.md have."""

from __future__ import annotations

import re
from functools import cache

from helpers.repository import ROOT

ROW = re.compile(r"^\| `((?:ray_)?afray_\w+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)
NAME = re.compile(r"\b(?:ray_)?afray_\w+")
MATCHED = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")
GROUPED = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")
OF_HISTOGRAMS = ("_bucket", "_count", "_sum")
OF_THE_SCRAPE = frozenset({"le", "namespace", "pod"})
"""Labels that no table lists: of buckets, and those that a monitor adds to what it reads."""


@cache
def documented() -> dict[str, frozenset[str]]:
    """Labels by series name, as the tables of the docs say."""
    known = {}
    for name, kind, labels in ROW.findall((ROOT / "docs" / "metrics.md").read_text()):
        names = [f"{name}{suffix}" for suffix in OF_HISTOGRAMS] if kind == "histogram" else [name]
        # Those of the job stand below the table of Ray's metrics, once for all.
        of_job = ("name", "queue") if name.startswith("ray_") else ()
        known.update(dict.fromkeys(names, frozenset(re.findall(r"\w+", labels)) | OF_THE_SCRAPE | {*of_job}))
    return known


def unknown_in(expression: str) -> set[str]:
    """Metrics that no table has, and labels that none of the expression's metrics has."""
    metrics = set(NAME.findall(expression))
    labels = {*MATCHED.findall(expression)}.union(*(re.findall(r"\w+", found) for found in GROUPED.findall(expression)))
    known = documented()
    return (metrics - known.keys()) | (labels - frozenset().union(*(known.get(one, frozenset()) for one in metrics)))
