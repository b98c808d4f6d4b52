"""Time spans as kubectl spells them: 90, 90s, 10m, 1h30m, 2d."""

from __future__ import annotations

import re
from typing import Annotated, Final

import typer

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SPAN: Final = re.compile(r"(?:[0-9]+[smhd])+")


def parse_duration(text: str) -> float:
    """Seconds; a bare number is one of seconds. Raises BadParameter."""
    if text.isascii() and text.isdecimal():
        return float(text)
    if not _SPAN.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is no time span. Write 90s, 10m, 1h30m or 2d.")
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9]+)([smhd])", text))


def spell(seconds: float) -> str:
    """A time span in its two largest units: 8s, 1m30s, 5h20m, 3d4h."""
    left, counts = max(0, round(seconds)), dict[str, int]()
    for unit, length in reversed(_UNITS.items()):
        counts[unit], left = divmod(left, int(length))
    largest = next((place for place, count in enumerate(counts.values()) if count), len(counts) - 1)
    two = list(counts.items())[largest : largest + 2]
    return "".join(f"{count}{unit}" for unit, count in two if count) or "0s"


TimeoutOption = Annotated[
    float | None,
    typer.Option("--timeout", parser=parse_duration, metavar="SPAN", help="Stop after this time, such as 90s or 2h."),
]
