"""A whole dashboard: variables, and sections of panels set from left to right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from afray_operator.dashboards.panels import FULL, SOURCE, Panel

SCHEMA_VERSION: Final = 39
"""Of Grafana 10.4 and 11; newer ones migrate it when it is opened."""
_SORTED: Final = 1
_ON_TIME_RANGE: Final = 2


@dataclass(frozen=True, slots=True)
class Section:
    """Panels under a heading."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """What a reader chooses: a value of a label; with `is_many` several, or all of them."""

    name: str
    label: str
    values: str
    """A query for label values."""
    is_many: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A dashboard; `uid` is a part of its address, so links to it outlive new versions."""

    uid: str
    title: str
    description: str
    variables: Sequence[Variable]
    sections: Sequence[Section]

    def to_json(self) -> dict[str, Any]:
        """What Grafana imports."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["afray"],
            "schemaVersion": SCHEMA_VERSION,
            "editable": True,
            "graphTooltip": 1,
            "refresh": "30s",
            "time": {"from": "now-6h", "to": "now"},
            "timezone": "browser",
            "templating": {"list": [_data_source(), *map(_variable, self.variables)]},
            "annotations": {"list": []},
            "links": [_link_to_others()],
            "panels": list(_placed(self.sections)),
        }


def _placed(sections: Sequence[Section]) -> Iterator[Panel]:
    """Every panel with its number and its place in the grid; a heading is a panel too."""
    number = y = 0
    for section in sections:
        number += 1
        heading = {"h": 1, "w": FULL, "x": 0, "y": y}
        yield {
            "id": number,
            "type": "row",
            "title": section.title,
            "collapsed": False,
            "gridPos": heading,
            "panels": [],
        }
        y += 1
        x = height = 0
        for panel in section.panels:
            place = panel["gridPos"]
            if x + place["w"] > FULL:
                x, y, height = 0, y + height, 0
            number += 1
            yield {"id": number, **panel, "gridPos": {**place, "x": x, "y": y}}
            x, height = x + place["w"], max(height, place["h"])
        y += height


def _data_source() -> dict[str, Any]:
    return {"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus", "refresh": 1}


def _variable(variable: Variable) -> dict[str, Any]:
    many = {"multi": True, "includeAll": True, "allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]}}
    return {
        "type": "query",
        "name": variable.name,
        "label": variable.label,
        "datasource": SOURCE,
        "query": {"query": variable.values, "refId": "Values"},
        "definition": variable.values,
        "refresh": _ON_TIME_RANGE,
        "sort": _SORTED,
        **(many if variable.is_many else {}),
    }


def _link_to_others() -> dict[str, Any]:
    return {
        "type": "dashboards",
        "title": "afray",
        "tags": ["afray"],
        "icon": "external link",
        "tooltip": "",
        "url": "",
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
    }
