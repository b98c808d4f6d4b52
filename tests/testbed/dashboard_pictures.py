"""Pictures of the chart's dashboards, drawn in their own grid from what Prometheus answered to their queries.

No Grafana draws them: they show which panel stands where and what it found, not how Grafana looks. The test of the
dashboards records the answers; `python -m testbed.dashboard_pictures RECORD` writes docs/images/dashboard-*.svg.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from testbed.checkout import ROOT

BOARDS: Final = ROOT / "charts" / "afray" / "files" / "dashboards"
PICTURES: Final = ROOT / "docs" / "images"
CELL_WIDTH, CELL_HEIGHT, GAP = 50, 30, 6
COLOURS: Final = ("#3274d9", "#e0752d", "#299c46", "#a352cc", "#d44a3a", "#0a9fa8", "#b8860b", "#6d6d6d")
MOST_ROWS: Final = 6
"""Of a table or a legend."""
LETTER: Final = 6.2
"""Width of a letter of small text."""
ROOM_OF_NUMBER: Final = 90
STEP_SECONDS: Final = 10
"""Between two values of an answer over time."""

Answer = Mapping[str, Any]
Box = tuple[float, float, float, float]
"""Left, top, width and height."""


def draw(name: str, board: Mapping[str, Any], record: Mapping[str, Answer]) -> str:
    """The picture of a board as SVG. `record` has the answer of each query by board, panel and letter."""
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    width, height = 24 * CELL_WIDTH + GAP, bottom * CELL_HEIGHT + GAP
    parts = [part for panel in board["panels"] for part in _panel(name, panel, record)]
    style = "text{font:12px sans-serif;fill:#24292e}.t{font-weight:bold}.s{font-size:11px;fill:#57606a}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">'
    back = f'<rect width="{width}" height="{height}" fill="#f4f5f5"/>'
    return "\n".join([head, f"<style>{style}</style>", back, *parts, "</svg>\n"])


def _panel(name: str, panel: Mapping[str, Any], record: Mapping[str, Answer]) -> Iterator[str]:
    place = panel["gridPos"]
    left, top = place["x"] * CELL_WIDTH + GAP, place["y"] * CELL_HEIGHT + GAP
    width, height = place["w"] * CELL_WIDTH - GAP, place["h"] * CELL_HEIGHT - GAP
    if panel["type"] == "row":
        yield _text(left, top + 17, panel["title"], "t")
        return
    yield f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="#fff" stroke="#d8dade"/>'
    yield _text(left + 8, top + 18, panel["title"], "t", width - 16)
    found = [
        (one, target["legendFormat"])
        for target in panel.get("targets", ())
        for one in record.get(f"{name}: {panel['title']}: {target['refId']}", {}).get(_part(panel), ())
    ]
    inner = (left + 8, top + 28, width - 16, height - 36)
    yield from _KINDS[panel["type"]](panel, found, inner)


def _part(panel: Mapping[str, Any]) -> str:
    return "over time" if panel["type"] in ("timeseries", "state-timeline") else "result"


Found = Sequence[tuple[Answer, str]]
"""Series of a panel, each with the form of its name."""


def _stat(panel: Mapping[str, Any], found: Found, box: Box) -> Iterator[str]:
    left, top, width, height = box
    shows_name = panel["options"]["textMode"] == "name"
    for place, (one, legend) in enumerate(found[:3]):
        x = left + place * width / min(3, len(found))
        said = _name(one, legend) if shows_name else _number(float(one["value"][1]), _unit(panel))
        yield f'<text x="{x}" y="{top + 34}" style="font-size:24px;fill:{COLOURS[0]}">{escape(said)}</text>'
        if len(found) > 1 and not shows_name:
            yield _text(x, top + height - 4, _name(one, legend), "s", width / len(found))


def _bars(panel: Mapping[str, Any], found: Found, box: Box) -> Iterator[str]:
    left, top, width, _ = box
    largest = max((float(one["value"][1]) for one, _ in found), default=0) or 1
    for place, (one, legend) in enumerate(found[:MOST_ROWS]):
        value, y = float(one["value"][1]), top + place * 30
        yield _text(left, y + 11, _name(one, legend), "s", width - ROOM_OF_NUMBER)
        number = escape(_number(value, _unit(panel)))
        yield f'<text x="{left + width}" y="{y + 11}" class="s" text-anchor="end">{number}</text>'
        yield f'<rect x="{left}" y="{y + 15}" width="{width * value / largest:.1f}" height="9" fill="{COLOURS[0]}"/>'


def _lines(panel: Mapping[str, Any], found: Found, box: Box) -> Iterator[str]:
    left, top, width, height = box
    height -= 14 * min(MOST_ROWS, len(found)) + 4
    points = [(float(at), float(value)) for one, _ in found for at, value in one["values"] if value != "NaN"]
    if not points:
        return
    first, last = min(at for at, _ in points), max(at for at, _ in points)
    most = max(value for _, value in points) or 1
    yield _text(left, top + 8, _number(most, _unit(panel)), "s", width)
    for place, (one, legend) in enumerate(found[:MOST_ROWS]):
        drawn = " ".join(
            f"{left + width * (float(at) - first) / ((last - first) or 1):.1f},"
            f"{top + height - (height - 12) * float(value) / most:.1f}"
            for at, value in one["values"]
            if value != "NaN"
        )
        colour = COLOURS[place % len(COLOURS)]
        yield f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        y = top + height + 14 * (place + 1)
        yield f'<rect x="{left}" y="{y - 7}" width="10" height="3" fill="{colour}"/>'
        yield _text(left + 14, y, _name(one, legend), "s", width - 14)


def _timeline(panel: Mapping[str, Any], found: Found, box: Box) -> Iterator[str]:
    left, top, width, _ = box
    times = sorted({float(at) for one, _ in found for at, _ in one["values"]})
    first, last = times[0], times[-1] + STEP_SECONDS
    for place, (one, legend) in enumerate(found[:MOST_ROWS]):
        y = top + place * 32
        yield _text(left, y + 10, _name(one, legend), "s", width)
        for at in (at for at, value in one["values"] if value != "0"):
            x, lasts = left + width * (float(at) - first) / (last - first), width * STEP_SECONDS / (last - first)
            yield f'<rect x="{x:.1f}" y="{y + 14}" width="{lasts:.1f}" height="10" fill="{COLOURS[0]}"/>'


def _table(panel: Mapping[str, Any], found: Found, box: Box) -> Iterator[str]:
    left, top, width, _ = box
    for place, (one, _) in enumerate(found[:MOST_ROWS]):
        labels = "   ".join(f"{name} {value}" for name, value in sorted(one["metric"].items()))
        said = f"{labels}   {_number(float(one['value'][1]), _unit(panel))}"
        yield _text(left, top + 12 + 18 * place, said, "s", width)


def _prose(panel: Mapping[str, Any], _found: Found, box: Box) -> Iterator[str]:
    left, top, width, _ = box
    content = panel["options"]["content"].replace("`", "").splitlines()
    lines = [line for paragraph in content for line in textwrap.wrap(paragraph, int(width / LETTER)) or [""]]
    for place, line in enumerate(lines[:9]):
        yield _text(left, top + 12 + 16 * place, line, "s")


_KINDS: Final[Mapping[str, Callable[[Mapping[str, Any], Found, Box], Iterator[str]]]] = {
    "stat": _stat,
    "bargauge": _bars,
    "timeseries": _lines,
    "state-timeline": _timeline,
    "table": _table,
    "text": _prose,
}


def _unit(panel: Mapping[str, Any]) -> str:
    unit: str = panel["fieldConfig"]["defaults"]["unit"]
    return unit


def _number(value: float, unit: str) -> str:
    match unit:
        case "s":
            return f"{value:.3g} s" if value < 120 else f"{value / 60:.0f} min"
        case "percentunit":
            return f"{100 * value:.0f} %"
        case "binBps":
            return f"{value / 1024:.1f} KiB/s"
        case _:
            return f"{value:.3g} {unit.removeprefix('suffix: ') if unit.startswith('suffix') else ''}".rstrip()


def _name(one: Answer, legend: str) -> str:
    if legend == "__auto":
        return ", ".join(one["metric"].values())
    return re.sub(r"{{(\w+)}}", lambda found: one["metric"].get(found[1], ""), legend)


def _text(x: float, y: float, said: str, kind: str, width: float = 1e9) -> str:
    kept = said[: max(3, int(width / LETTER))]
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(kept)}</text>'


def main(record: Path) -> None:
    """Draw all boards."""
    found = json.loads(record.read_text())
    for path in sorted(BOARDS.glob("*.json")):
        picture = PICTURES / f"dashboard-{path.stem}.svg"
        picture.write_text(draw(path.stem, json.loads(path.read_text()), found))
        sys.stderr.write(f"wrote {picture}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
