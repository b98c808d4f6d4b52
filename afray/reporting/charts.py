"""The two interactive pictures of the report, as plotly figures in JSON.

Symbols and sizes tell classes apart here; colours are the page's, which knows whether it is light or dark (a trace
names its class in `meta`). Ids are hostile input: plotly renders a little HTML in hover text.
"""

from __future__ import annotations

import html

import plotly.graph_objects as go

from afray.reporting.report import MapGroup, PoolMap, ScoreHistogram

_ID_LENGTH = 80
_FONT_SIZE = 13
_MARKERS = {
    "pool": {"size": 4, "opacity": 0.45, "symbol": "circle"},
    "removed": {"size": 5, "opacity": 0.6, "symbol": "x"},
    "core": {"size": 10, "symbol": "circle", "line": {"width": 1}},
    "boundary": {"size": 11, "symbol": "diamond", "line": {"width": 1}},
}
_CLEAR = "rgba(0,0,0,0)"
BASE: dict[str, object] = {
    "template": "none",
    "paper_bgcolor": _CLEAR,
    "plot_bgcolor": _CLEAR,
    "font": {"family": "system-ui, sans-serif", "size": _FONT_SIZE},
    "hoverlabel": {"namelength": -1},
    "uirevision": "kept",
    "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "itemsizing": "constant"},
}


def draw_map(pool_map: PoolMap) -> str:
    """The map: one dot per drawn row, equal scales on both axes."""
    figure = go.Figure([points(group) for group in pool_map.groups if group.x])
    figure.update_layout(**map_layout(pool_map))
    return str(figure.to_json())


def map_layout(pool_map: PoolMap) -> dict[str, object]:
    """The axes of a map."""
    # Units of a projection mean nothing: no ticks and no grid.
    axis = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": "", "showline": True}
    return {
        **BASE,
        "margin": {"l": 28, "r": 8, "t": 36, "b": 28},
        "xaxis": {**axis, "title": _axis_title("First", pool_map.explained[0])},
        "yaxis": {
            **axis,
            "title": _axis_title("Second", pool_map.explained[1]),
            "scaleanchor": "x",
            "constrain": "domain",
        },
        "hovermode": "closest",
        "dragmode": "zoom",
    }


def draw_scores(scores: ScoreHistogram) -> str:
    """The histogram of boundary scores: shares, for the picks are few beside the rows they were picked from."""
    figure = go.Figure()
    if sum(scores.kept):
        figure.add_scatter(
            x=_centres(len(scores.kept)),
            y=shares(scores.kept),
            name=f"all kept rows ({sum(scores.kept):,})",
            meta="pool",
            mode="lines",
            line={"shape": "hvh", "width": 1.5},
            fill="tozeroy",
            hovertemplate="score %{x:.3f}: %{y:.1%} of kept rows<extra></extra>",
        )
    figure.add_bar(
        x=_centres(len(scores.picked)),
        y=shares(scores.picked),
        name=f"boundary picks ({sum(scores.picked):,})",
        meta="boundary",
        marker={"opacity": 0.8},
        hovertemplate="score %{x:.3f}: %{y:.1%} of picks<extra></extra>",
    )
    figure.update_layout(
        **BASE,
        margin={"l": 52, "r": 8, "t": 36, "b": 44},
        xaxis={
            "title": title("Boundary score (lower = nearer to a boundary)"),
            "zeroline": False,
            "range": _occupied(scores),
        },
        yaxis={"title": title("Share of rows"), "tickformat": ".0%", "rangemode": "tozero", "zeroline": False},
        bargap=0.05,
    )
    return str(figure.to_json())


def points(group: MapGroup) -> go.Scattergl:
    """The dots of one class."""
    named = bool(group.ids)
    return go.Scattergl(
        x=group.x,
        y=group.y,
        name=f"{group.kind} ({len(group.x):,})",
        meta=group.kind,
        mode="markers",
        marker=_MARKERS[group.kind],
        text=[_hover_text(row_id) for row_id in group.ids] if named else None,
        hovertemplate=f"{group.kind}: %{{text}}<extra></extra>" if named else None,
        hoverinfo=None if named else "skip",
    )


def _hover_text(row_id: str) -> str:
    short = row_id if len(row_id) <= _ID_LENGTH else "…" + row_id[1 - _ID_LENGTH :]
    return html.escape(short, quote=False)


def _axis_title(place: str, share: float) -> dict[str, object]:
    return title(f"{place} principal direction ({share:.0%} of variance)")


def title(text: str) -> dict[str, object]:
    """The title of an axis."""
    return {"text": text, "standoff": 6, "font": {"size": _FONT_SIZE}}


def _centres(bins: int) -> list[float]:
    return [-1 + (2 * position + 1) / bins for position in range(bins)]


def _occupied(scores: ScoreHistogram) -> tuple[float, float]:
    """The part of [-1, 1] that holds rows, with two bins of room."""
    bins = len(scores.picked)
    filled = [place for counts in (scores.kept, scores.picked) for place, rows in enumerate(counts) if rows]
    return -1 + 2 * max(min(filled) - 2, 0) / bins, -1 + 2 * min(max(filled) + 3, bins) / bins


def shares(counts: tuple[int, ...]) -> list[float]:
    """Counts as shares of their sum, which is not zero."""
    total = sum(counts)
    return [count / total for count in counts]
