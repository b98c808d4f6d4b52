"""A bench as text for people: markdown, and one HTML file with a plot that asks nothing of the network."""

from __future__ import annotations

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from afray.evaluation.comparison import Difference, Row, Table

COLUMNS = ("labels", "method", "accuracy", "to {base}", "macro recall", "1-NN", "to {base}", "classes hit", "seconds")
LEGEND = (
    "Accuracy of a linear probe on frozen features, in %, mean ± sample sd over {seeds} seeds; "
    "differences in points, paired by seed, with 95 % t intervals."
)


def columns(table: Table) -> list[str]:
    """Titles of the columns."""
    return [title.format(base=table.base) for title in COLUMNS]


def cells(row: Row) -> list[str]:
    """One row as text."""
    return [
        str(row.budget),
        row.method,
        _percent(row.accuracy) + ("" if row.accuracy_sd is None else f" ± {100 * row.accuracy_sd:.1f}"),
        _points(row.difference),
        _percent(row.macro_recall),
        _percent(row.nearest),
        _points(row.nearest_difference),
        f"{row.classes_hit:.1f}",
        f"{row.seconds:.1f}",
    ]


def legend(table: Table) -> str:
    """What the numbers are, in a sentence."""
    return LEGEND.format(seeds=max(row.seeds for row in table.rows))


def to_markdown(table: Table, title: str) -> str:
    """A title, the legend and one table."""
    lines = [columns(table), ["---"] * len(COLUMNS), *(cells(row) for row in table.rows)]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"# {title}\n\n{legend(table)}\n\n{body}\n"


def to_html(table: Table, title: str) -> str:
    """A page with two plots over the budget: accuracy, and differences to the base method."""
    figure = make_subplots(cols=2, subplot_titles=("Accuracy of the linear probe, %", f"Points above {table.base}"))
    for number, method in enumerate(dict.fromkeys(row.method for row in table.rows)):
        rows = [row for row in table.rows if row.method == method]
        colour = _COLOURS[number % len(_COLOURS)]
        figure.add_trace(_accuracy_line(rows, colour), row=1, col=1)
        if method != table.base:
            figure.add_trace(_difference_line(rows, colour), row=1, col=2)
    budgets = sorted({row.budget for row in table.rows})
    figure.update_xaxes(title_text="labels", type="log", tickvals=budgets, ticktext=[str(b) for b in budgets])
    figure.add_hline(y=0, line_color="#888", line_width=1, row=1, col=2)
    figure.update_layout(title={"text": title, "subtitle": {"text": legend(table)}}, template="plotly_white")
    page: str = figure.to_html(include_plotlyjs=True, full_html=True, config={"displaylogo": False})
    return page


# Told apart by people with any colour vision (Okabe and Ito), black last.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")


def _accuracy_line(rows: list[Row], colour: str) -> go.Scatter:
    return go.Scatter(
        name=rows[0].method,
        legendgroup=rows[0].method,
        x=[row.budget for row in rows],
        y=[100 * row.accuracy for row in rows],
        error_y={"type": "data", "array": [100 * (row.accuracy_sd or 0) for row in rows], "thickness": 1},
        mode="lines+markers",
        line={"color": colour},
    )


def _difference_line(rows: list[Row], colour: str) -> go.Scatter:
    differences = [row.difference for row in rows if row.difference is not None]
    return go.Scatter(
        name=rows[0].method,
        legendgroup=rows[0].method,
        showlegend=False,
        x=[row.budget for row in rows],
        y=[100 * difference.mean for difference in differences],
        error_y={"type": "data", "array": [_reach(difference) for difference in differences], "thickness": 1},
        mode="lines+markers",
        line={"color": colour},
    )


def _reach(difference: Difference) -> float:
    return 0.0 if difference.high is None else 100 * (difference.high - difference.mean)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _points(difference: Difference | None) -> str:
    if difference is None:
        return ""
    if difference.low is None or difference.high is None:
        return f"{100 * difference.mean:+.1f}"
    return f"{100 * difference.mean:+.1f} [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"
