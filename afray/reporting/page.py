"""report.html: the report as one page that needs nothing else, not even a network.

The page's own security policy forbids every request and every script but the two that are put in here (by digest), so
even text that escaped the escaping could not act.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from afray.reporting import charts, round_charts, wording
from afray.reporting.report import PoolMap, Report
from afray.reporting.round_facts import RoundReport
from afray.reporting.thumbnails import Thumbnail

NAME = "report.html"
_TEMPLATES = Path(__file__).parent / "templates"


def render(report: Report, thumbnails: Mapping[str, Thumbnail] | None = None) -> bytes:
    """The page. `thumbnails` by id, for (some of) `gallery.pictured_ids`; None for a report without pictures."""
    style, script = _template_text("report.css"), _template_text("report.js")
    plotly = get_plotlyjs()
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            thumbnails=thumbnails,
            verdict=wording.verdict(report),
            steps=wording.steps(report),
            probe_axis=wording.probe_axis(report.evaluation.probe) if report.evaluation.probe else None,
            total_seconds=max(sum(stage.seconds for stage in report.stages), 1e-9),
            figures=_figures(report),
            policy=_policy(plotly, script),
            style=_trusted(style),
            script=_trusted(script),
            plotly=_trusted(plotly),
        )
    )
    return page.encode()


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    for name in ("count", "percent", "points", "difference", "duration", "rate", "interval", "change"):
        environment.filters[name] = getattr(wording, name)
    return environment


def _figures(report: Report) -> dict[str, Markup]:
    figures = {}
    if report.map:
        figures["map"] = _embeddable(charts.draw_map(report.map))
    if report.scores:
        figures["scores"] = _embeddable(charts.draw_scores(report.scores))
    return figures | (_round_figures(report.round, report.map) if report.round else {})


def _round_figures(told: RoundReport, pool_map: PoolMap | None) -> dict[str, Markup]:
    figures = {}
    if told.uncertainty:
        figures["uncertainty"] = _embeddable(round_charts.draw_uncertainty(told.uncertainty))
    if told.uncertainty and pool_map:
        figures["round_map"] = _embeddable(round_charts.draw_map(pool_map, told.uncertainty.levels))
    if told.reliability:
        figures["reliability"] = _embeddable(round_charts.draw_reliability(told.reliability))
    return figures


def _embeddable(document: str) -> Markup:
    """JSON that cannot end the script element it stands in: its only markup characters occur inside strings."""
    return _trusted(document.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _trusted(text: str) -> Markup:
    """Text that is markup by intent: files of this package and of plotly, and what `_embeddable` made safe."""
    return Markup(text)  # noqa: S704


def _policy(*scripts: str) -> str:
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    # plotly compiles its WebGL programs with Function, hence unsafe-eval; styles are set by plotly and by bars.
    return f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src {allowed} 'unsafe-eval'"


def _template_text(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")
