"""Panels of Grafana as its JSON has them: the few kinds that the chart's dashboards use, each with all it requires.

Every panel has a description, since whoever opens a dashboard did not write it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

Panel = dict[str, Any]
Json = dict[str, Any]
Step = tuple[float, str]
"""From a value on, a colour."""

SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
FULL, HALF, THIRD, QUARTER, SIXTH = 24, 12, 8, 6, 4
"""Widths, of the 24 columns of a dashboard."""
GPU_HOURS: Final = "suffix: GPU h"
"""A unit of our own."""
_LAST: Final = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_LEGEND: Final = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
_TOOLTIP: Final = {"mode": "multi", "sort": "desc"}


@dataclass(frozen=True, slots=True)
class Query:
    """An expression, and how its series are called: `{{label}}` stands for the value of a label."""

    expression: str
    legend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What every panel has."""

    title: str
    description: str
    width: int = HALF
    unit: str = "short"


def stat(about: About, *queries: Query, steps: Sequence[Step] = (), shows_name: bool = False) -> Panel:
    """The last value in large; with `shows_name` the name of its series instead."""
    options = {
        "graphMode": "none",
        "colorMode": "value",
        "justifyMode": "auto",
        "textMode": "name" if shows_name else "auto",
        "wideLayout": True,
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
        "orientation": "auto",
        "reduceOptions": _LAST,
    }
    return _panel("stat", about, options, _targets(queries, instant=True), _field(about.unit, steps), height=4)


def bars(about: About, *queries: Query, steps: Sequence[Step] = ()) -> Panel:
    """One bar for each series, in the order of the queries."""
    options = {
        "displayMode": "basic",
        "valueMode": "color",
        "namePlacement": "auto",
        "showUnfilled": True,
        "sizing": "auto",
        "minVizWidth": 8,
        "minVizHeight": 16,
        "maxVizHeight": 300,
        "orientation": "horizontal",
        "legend": {**_LEGEND, "showLegend": False},
        "reduceOptions": _LAST,
    }
    field = {**_field(about.unit, steps), "min": 0}
    return _panel("bargauge", about, options, _targets(queries, instant=True), field)


def lines(about: About, *queries: Query, stacked: bool = False, most: float | None = None) -> Panel:
    """Values over time; `most` is the end of the scale."""
    drawn = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 30 if stacked else 10, "showPoints": "never"}
    stacking = {"stacking": {"mode": "normal", "group": "A"}} if stacked else {}
    field = {**_field(about.unit), "min": 0, "custom": {**drawn, **stacking}}
    if most is not None:
        field["max"] = most
    return _panel("timeseries", about, {"legend": _LEGEND, "tooltip": _TOOLTIP}, _targets(queries), field)


def timeline(about: About, query: Query) -> Panel:
    """A row for each series, filled while it is 1."""
    options = {
        "showValue": "never",
        "rowHeight": 0.8,
        "mergeValues": True,
        "legend": {**_LEGEND, "showLegend": False},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    return _panel("state-timeline", about, options, _targets([query]), _field(about.unit, [(1, "blue")], base="text"))


def table(about: About, query: Query) -> Panel:
    """A row for each series, a column for each label and one for the value."""
    options = {"frameIndex": 0, "showHeader": True, "cellHeight": "sm"}
    panel = _panel("table", about, options, _targets([query], instant=True, form="table"), _field(about.unit))
    hidden = {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": {}}
    return {**panel, "transformations": [{"id": "organize", "options": hidden}]}


def text(title: str, content: str, *, width: int = HALF, height: int = 8) -> Panel:
    """A paragraph of Markdown."""
    about = About(title=title, description="", width=width)
    panel = _panel("text", about, {"mode": "markdown", "content": content}, [], {}, height=height)
    return {name: value for name, value in panel.items() if name not in ("description", "datasource", "targets")}


def _panel(kind: str, about: About, options: Json, targets: list[Json], field: Json, height: int = 8) -> Panel:
    return {
        "type": kind,
        "title": about.title,
        "description": about.description,
        "datasource": SOURCE,
        "targets": targets,
        "options": options,
        "fieldConfig": {"defaults": field, "overrides": []},
        "gridPos": {"w": about.width, "h": height, "x": 0, "y": 0},
    }


def _targets(queries: Sequence[Query], *, instant: bool = False, form: str = "time_series") -> list[Json]:
    return [
        {
            "refId": chr(ord("A") + place),
            "datasource": SOURCE,
            "expr": query.expression,
            "legendFormat": query.legend or "__auto",
            "instant": instant,
            "range": not instant,
            "format": form,
        }
        for place, query in enumerate(queries)
    ]


def _field(unit: str, steps: Sequence[Step] = (), base: str = "green") -> Json:
    colours = [{"value": None, "color": base}, *({"value": value, "color": color} for value, color in steps)]
    mode = "thresholds" if steps else "palette-classic"
    return {
        "unit": unit,
        "color": {"mode": mode},
        "thresholds": {"mode": "absolute", "steps": colours},
    }
