"""Time spans as kubectl spells them."""

from __future__ import annotations

import pytest
import typer

from afray.cli.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172800), ("0s", 0)]
)
def test_a_span_is_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5s", "5 m", "1.5h", "5x", "m", "\u0665s"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="1h30m"):
        parse_duration(text)
