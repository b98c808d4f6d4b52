"""The pictures of a round: where its model is uncertain, and whether it is right as often as it claims."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from afray.reporting import charts
from afray.reporting.report import MapGroup, PoolMap
from afray.reporting.round_facts import Reliability, ReliabilityBin, Uncertainty

_SMALLEST, _LARGEST = 2.0, 8.0
"""Diameter of a row beyond doubt, and of one between two classes."""
_FAINTEST, _DENSEST = 0.08, 0.6
"""Opacity of the same: thousands of rows beyond doubt shall not hide what is not."""
_SMALLEST_BIN, _LARGEST_BIN = 4.0, 14.0
"""Diameter of a bin of reliability without rows, and of the fullest one."""
_PERCENT = ".0%"


def draw_map(pool_map: PoolMap, levels: Sequence[int]) -> str:
    """The map of the pool again: the larger a dot, the more uncertain the row; `levels` as `Uncertainty` has them."""
    pool = next(group for group in pool_map.groups if group.kind == "pool")
    traces = [_draw_open(pool, levels), _draw_answered(pool, levels)]
    traces += [charts.points(group) for group in pool_map.groups if group.kind in ("core", "boundary") and group.x]
    figure = go.Figure(traces)
    figure.update_layout(**charts.map_layout(pool_map))
    return str(figure.to_json())


def _draw_open(pool: MapGroup, levels: Sequence[int]) -> go.Scattergl:
    places = [place for place, level in enumerate(levels) if level >= 0]
    shares = [levels[place] / 100 for place in places]
    return go.Scattergl(
        x=[pool.x[place] for place in places],
        y=[pool.y[place] for place in places],
        name=f"not chosen ({len(places):,}), large: uncertain",
        meta="pool",
        mode="markers",
        marker={
            "size": [_SMALLEST + (_LARGEST - _SMALLEST) * share for share in shares],
            "opacity": [_FAINTEST + (_DENSEST - _FAINTEST) * share**2 for share in shares],
            "symbol": "circle",
        },
        customdata=shares,
        hovertemplate="uncertainty %{customdata:.0%}<extra></extra>",
    )


def _draw_answered(pool: MapGroup, levels: Sequence[int]) -> go.Scattergl:
    places = [place for place, level in enumerate(levels) if level < 0]
    return go.Scattergl(
        x=[pool.x[place] for place in places],
        y=[pool.y[place] for place in places],
        name=f"answered before ({len(places):,})",
        meta="ink",
        mode="markers",
        marker={"size": 5, "opacity": 0.8, "symbol": "x"},
        hoverinfo="skip",
    )


def draw_uncertainty(found: Uncertainty) -> str:
    """Rows by uncertainty, as shares: the picks are few beside the rows that they were picked from."""
    bins = len(found.open)
    figure = go.Figure()
    for name, meta, counts in (
        (f"rows without an answer ({sum(found.open):,} looked at)", "pool", found.open),
        (f"picks of this round ({sum(found.picked):,})", "core", found.picked),
    ):
        figure.add_bar(
            x=[(place + 0.5) / bins for place in range(bins)],
            y=charts.shares(counts) if sum(counts) else [0.0] * bins,
            name=name,
            meta=meta,
            marker={"opacity": 0.8},
            hovertemplate="uncertainty %{x:.2f}: %{y:.1%} of rows<extra></extra>",
        )
    figure.update_layout(
        **charts.BASE,
        margin={"l": 52, "r": 8, "t": 36, "b": 44},
        xaxis={
            "title": charts.title("Uncertainty (0 = beyond doubt, 1 = two classes equally likely)"),
            "range": [0, 1],
            "zeroline": False,
        },
        yaxis={"title": charts.title("Share of rows"), "tickformat": _PERCENT, "rangemode": "tozero"},
        barmode="group",
        bargap=0.05,
    )
    return str(figure.to_json())


def draw_reliability(found: Reliability) -> str:
    """Confidence beside the share of right predictions: on the diagonal the two agree."""
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1], y=[0, 1], name="as right as claimed", meta="soft", mode="lines", line={"dash": "dot", "width": 1},
        hoverinfo="skip",
    )  # fmt: skip
    for name, meta, bins in (("before", "removed", found.before), ("after", "core", found.after)):
        figure.add_scatter(
            x=[one.confidence for one in bins],
            y=[one.accuracy for one in bins],
            text=[_count_rows(one) for one in bins],
            name=f"{name} calibration",
            meta=meta,
            mode="lines+markers",
            line={"width": 1.5},
            marker={"size": _bin_sizes(bins)},
            hovertemplate="claimed %{x:.0%}, right %{y:.0%} of %{text}<extra></extra>",
        )
    axis = {"range": [0, 1.02], "tickformat": _PERCENT, "zeroline": False}
    figure.update_layout(
        **charts.BASE,
        margin={"l": 52, "r": 8, "t": 36, "b": 44},
        xaxis={**axis, "title": charts.title("Mean confidence of the predicted class")},
        yaxis={**axis, "title": charts.title("Share of right predictions")},
    )
    return str(figure.to_json())


def _bin_sizes(bins: Sequence[ReliabilityBin]) -> list[float]:
    """Areas grow with rows: a bin of three rows says little."""
    fullest = max(one.rows for one in bins)
    return [_SMALLEST_BIN + (_LARGEST_BIN - _SMALLEST_BIN) * math.sqrt(one.rows / fullest) for one in bins]


def _count_rows(found: ReliabilityBin) -> str:
    return "1 row" if found.rows == 1 else f"{found.rows:,} rows"
