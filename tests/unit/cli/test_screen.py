"""A watched job on stderr: a bar on a terminal, lines elsewhere, never more of them than there is to say."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from helpers.job_records import attempt, job_record, progress
from rich.console import Console

from afray.cli.screen import LINE_SECONDS, REMINDER_SECONDS, BarScreen, LineScreen, choose_screen
from afray.client.records import JobRecord

QUEUED = job_record("Queued", attempt=attempt())


def working(done: int, **fields: object) -> JobRecord:
    return job_record("Running", attempt=attempt(), progress={**progress(done=done), **fields})


def shown_over(seconds: int, record_at: Callable[[int], JobRecord]) -> list[str]:
    """The lines of a watch that looks every second, without the time of day."""
    file, now = io.StringIO(), 0.0
    screen = LineScreen(Console(file=file, width=200), clock=lambda: now)
    for second in range(seconds + 1):
        now = float(second)
        screen.show(record_at(second))
    return [line.partition(" ")[2] for line in file.getvalue().splitlines()]


def test_progress_is_a_line_every_ten_seconds() -> None:
    lines = shown_over(int(2 * LINE_SECONDS), lambda second: working(100 * second))
    assert lines == ["embed: 1,000/10,000 rows", "embed: 2,000/10,000 rows"]


def test_where_nothing_happens_a_line_a_minute_shows_that_somebody_looks() -> None:
    lines = shown_over(int(LINE_SECONDS + 2 * REMINDER_SECONDS), lambda _: QUEUED)
    assert lines == ["Queued"] * 3


def test_news_is_told_at_once_with_the_time_of_day() -> None:
    file = io.StringIO()
    with LineScreen(Console(file=file, width=20)) as screen:
        screen.tell("QuotaReserved=False (Queued): [red]quota[/red] " + "is short " * 10)
    (line,) = file.getvalue().splitlines()
    assert line[2] == line[5] == ":"
    assert "(Queued): [red]quota[/red] is short" in line


def on_a_terminal(record: JobRecord, *news: str) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=140, no_color=True, _environ={})
    with BarScreen(console) as screen:
        screen.show(record)
        for line in news:
            screen.tell(line)
    return file.getvalue()


def test_a_bar_shows_state_stage_count_rate_time_left_and_step() -> None:
    shown = on_a_terminal(working(4000, rate=212.4, etaSeconds=28, step="shard [4]"))
    for part in ("Running: embed", "4,000/10,000 rows", "212/s  28 s left  shard [4]"):
        assert part in shown


def test_a_bar_without_progress_shows_the_state_and_news_stays_above() -> None:
    shown = on_a_terminal(QUEUED, "QuotaReserved=False (Queued): no quota")
    assert "Queued" in shown
    assert "QuotaReserved=False (Queued): no quota\n" in shown.replace("\r", "")
    assert "4,000" not in shown


@pytest.mark.parametrize(("is_terminal", "kind"), [(True, BarScreen), (False, LineScreen)])
def test_bars_are_for_terminals(is_terminal: bool, kind: type) -> None:
    assert isinstance(choose_screen(Console(file=io.StringIO(), force_terminal=is_terminal)), kind)
