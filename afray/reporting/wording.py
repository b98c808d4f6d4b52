"""Numbers and sentences as people read them."""

from __future__ import annotations

from collections.abc import Callable

from afray.reporting.report import LinearProbe, Report, Stage
from afray.reporting.round_facts import Estimate

_MINUTE = 60
_HOUR = 3600
STRIP_WIDTH = 680
_STRIP_MARGIN = 70


def count(value: float) -> str:
    """1234567 -> 1,234,567; halves stay."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def percent(share: float) -> str:
    """0.7812 -> 78.1 %."""
    return f"{100 * share:.1f}\u00a0%"


def points(share: float) -> str:
    """A distance between shares, 0..1, in percentage points: 0.035 -> 3.5 points."""
    return f"{100 * share:.1f}\u00a0points"


def difference(selected: float, random_mean: float) -> str:
    """Accuracy with selected beside random labels: 3.5 points above, 0.2 points below."""
    gain = selected - random_mean
    return f"{points(abs(gain))} {'above' if gain >= 0 else 'below'}"


def interval(found: Estimate) -> str:
    """A share with its interval: 83.1 % [81.0, 85.0]."""
    return f"{percent(found.value)} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def change(found: Estimate) -> str:
    """A difference of shares with its interval, in points: +1.2 points [-0.3, +2.7]."""
    return f"{100 * found.value:+.1f}\u00a0points [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"


def duration(seconds: float) -> str:
    """Three figures at most: 0.42 s, 12.3 s, 3 min 5 s, 2 h 10 min."""
    if seconds < _MINUTE:
        return f"{seconds:.3g}\u00a0s"
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE}\u00a0min {whole % _MINUTE}\u00a0s"
    return f"{whole // _HOUR}\u00a0h {whole % _HOUR // _MINUTE}\u00a0min"


def rate(stage: Stage) -> str:
    """Rows per second of a stage; empty where that makes no sense."""
    if stage.rows is None or stage.seconds <= 0:
        return ""
    return f"{float(f'{stage.rows / stage.seconds:.3g}'):,.16g}"


def verdict(report: Report) -> str:
    """The result in two sentences."""
    counts, funnel = report.counts, report.funnel
    order = "next" if report.round else "first"
    kinds = f"{count(counts.core)} core and {count(counts.boundary)} boundary rows"
    chosen = (
        f"{count(funnel.selected)} of {count(funnel.listed)} rows are worth a label {order}: "
        f"{kinds if counts.boundary else 'all of them core rows'}."
    )
    return f"{chosen} {_worth(report.evaluation.probe)}" if report.evaluation.probe else chosen


def _worth(probe: LinearProbe) -> str:
    accuracy = f"With them a linear probe is right on {percent(probe.selected)} of the held-out rows"
    if probe.random_mean is None:
        return f"{accuracy}."
    spread = "" if probe.random_sd is None else f" ± {100 * probe.random_sd:.1f}"
    return (
        f"{accuracy}, {difference(probe.selected, probe.random_mean)} as many random labels "
        f"({100 * probe.random_mean:.1f}{spread}\u00a0%)."
    )


def steps(report: Report) -> tuple[tuple[str, int, str], ...]:
    """The funnel: step, rows left, and what became of the others."""
    funnel, counts = report.funnel, report.counts
    return (
        ("Listed", funnel.listed, "rows in the index"),
        ("Readable", funnel.readable, f"{count(counts.quarantined)} in quarantine"),
        ("Unique", funnel.unique, f"{count(counts.copies)} left out as exact copies"),
        ("Kept", funnel.kept, f"{count(counts.removed)} removed as outliers"),
        ("Selected", funnel.selected, f"{count(counts.core)} core, {count(counts.boundary)} boundary"),
    )


def probe_axis(probe: LinearProbe) -> tuple[Callable[[float], float], tuple[float, float]] | None:
    """The axis of the probe's strip: accuracy -> x, with room for labels, and the accuracies where it ends, in 0..1.

    None if there is nothing to compare the selected labels with.
    """
    if probe.random_mean is None:
        return None
    values = [probe.selected, probe.random_mean, *(draw.accuracy for draw in probe.random)]
    if probe.random_sd is not None:
        values += [probe.random_mean - probe.random_sd, probe.random_mean + probe.random_sd]
    low, width = min(values), max(max(values) - min(values), 0.01)
    per_share = (STRIP_WIDTH - 2 * _STRIP_MARGIN) / width
    start = low - _STRIP_MARGIN / per_share
    ends = max(start, 0.0), min(start + STRIP_WIDTH / per_share, 1.0)
    return lambda value: round((value - start) * per_share, 1), ends
