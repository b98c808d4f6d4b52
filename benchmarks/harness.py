"""What every benchmark shares: interleaved timing, bars with a verdict, one table and one JSON list.

Ratios are only honest between calls that met the same machine, so calls that will be divided by each other are timed
in turns within one process. CPU seconds (of all threads) stand beside wall seconds: on a shared machine they are the
steadier of the two. Where the machine was not quiet enough to tell, a bar is neither held nor missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import threadpoolctl
from rich.console import Console
from rich.table import Table

# Pools and the slow transcription are the tests' own.
sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

FORCED_KERNELS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
STEADY_SPREAD = 0.25
"""Spread of CPU seconds up to which a median of five says something; an idle machine stays below 0.1."""
QUIET_CORES = 0.3
"""Cores that other processes may keep busy meanwhile: one that is shared takes cache and memory too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Medians in seconds; `spread` is (slowest - fastest) / median of the CPU seconds."""

    wall: float
    cpu: float
    spread: float
    others: float = 0.0
    """Cores that other processes kept busy meanwhile; 0 where the system does not tell."""

    @property
    def doubt(self) -> str:
        """Why this says nothing about the code; empty if it does."""
        if self.others > QUIET_CORES:
            return f"other processes took {self.others:.1f} cores"
        return f"CPU seconds vary by {self.spread:.0%}" if self.spread > STEADY_SPREAD else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One claim: its measured value beside its target."""

    bar: str
    value: float
    target: str
    holds: bool | None
    """None: could not be judged here, and `doubt` says why."""
    spread: float = 0.0
    doubt: str = ""

    @property
    def verdict(self) -> str:
        """The word of the table."""
        return {True: "yes", False: "NO", None: f"? {self.doubt}"}[self.holds]

    @property
    def record(self) -> dict[str, object]:
        """The entry of the JSON list."""
        return {name: value for name, value in asdict(self).items() if name != "doubt"}


def judged(bar: Bar, *timings: Timing) -> Bar:
    """The bar with the spread of what it was measured by; without a verdict if one of them says nothing."""
    spread = max(timing.spread for timing in timings)
    doubt = next((timing.doubt for timing in timings if timing.doubt), "")
    return replace(bar, spread=spread, doubt=doubt, holds=None if doubt else bar.holds)


def at_most(bar: str, value: float, limit: float, spread: float = 0.0) -> Bar:
    return Bar(bar=bar, value=value, target=f"<= {limit:g}", holds=value <= limit, spread=spread)


def at_least(bar: str, value: float, limit: float, spread: float = 0.0) -> Bar:
    return Bar(bar=bar, value=value, target=f">= {limit:g}", holds=value >= limit, spread=spread)


def all_equal(bar: str, equal: int, compared: int) -> Bar:
    """Bar on exact results: all of `compared` must be equal."""
    return Bar(bar=bar, value=equal, target=f"{compared} of {compared} equal", holds=equal == compared)


@dataclass(frozen=True, slots=True)
class _Clocks:
    """Seconds since some moment: of the clock, of this process's CPU time, of that of the whole machine."""

    wall: float
    cpu: float
    machine: float

    def __sub__(self, earlier: _Clocks) -> _Clocks:
        return _Clocks(self.wall - earlier.wall, self.cpu - earlier.cpu, self.machine - earlier.machine)


def _read_clocks() -> _Clocks:
    return _Clocks(time.perf_counter(), time.process_time(), busy_seconds())


def busy_seconds() -> float:
    """CPU time that all processes took, and the host took away, since the machine started; 0 if it does not tell."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0.0
    user, nice, system, _idle, _waiting, *interrupted = stat.read_text().split("\n", 1)[0].split()[1:9]
    return sum(map(int, (user, nice, system, *interrupted))) / os.sysconf("SC_CLK_TCK")


def measure(calls: Mapping[str, Callable[[], object]], *, repeats: int = 5) -> dict[str, Timing]:
    """Median of `repeats` after a warm-up; the calls take turns, so they share the machine's good and bad minutes."""
    taken: dict[str, list[_Clocks]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            before = _read_clocks()
            call()
            if turn:
                taken[name].append(_read_clocks() - before)
    return {name: _summary(clocks) for name, clocks in taken.items()}


def _summary(taken: list[_Clocks]) -> Timing:
    cpus = [each.cpu for each in taken]
    middle, wall = statistics.median(cpus), sum(each.wall for each in taken)
    return Timing(
        wall=statistics.median(each.wall for each in taken),
        cpu=middle,
        spread=(max(cpus) - min(cpus)) / middle,
        others=max(0.0, sum(each.machine - each.cpu for each in taken) / wall),
    )


def machine() -> str:
    """Cores and the kernel that each BLAS picked; refuses to start where a kernel is forced by the environment."""
    forced = [name for name in FORCED_KERNELS if name in os.environ]
    if forced:
        raise SystemExit(f"unset {' and '.join(forced)}: a forced BLAS kernel halves the product's rate")
    libraries = [
        f"{library['internal_api']} {library.get('version')} {library.get('architecture', '')}".strip()
        for library in threadpoolctl.threadpool_info()
    ]
    return f"{os.cpu_count()} cores; {', '.join(libraries)}"


def arguments(description: str, sections: Iterable[str] = ()) -> argparse.Namespace:
    """The command line of every benchmark: where to write the JSON list, and `--only` some of its sections."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the bars as a JSON list to this file")
    if names := list(sections):
        parser.add_argument("--only", nargs="+", choices=names, default=names, help="run only these sections")
    return parser.parse_args()


def tell(bars: Iterable[Bar]) -> None:
    """Show bars as soon as they are known: what comes after them may take an hour."""
    for bar in bars:
        print(f"{bar.bar}: {bar.value:.3g} ({bar.target}) {bar.verdict}", file=sys.stderr, flush=True)


def conclude(title: str, bars: list[Bar], json_path: Path | None) -> int:
    """Show the bars, write them if asked, and give the exit status: 1 if any bar is missed."""
    table = Table(title=title)
    for column in ("bar", "value", "target", "holds", "spread"):
        table.add_column(column)
    for bar in bars:
        table.add_row(bar.bar, f"{bar.value:.3g}", bar.target, bar.verdict, f"{bar.spread:.0%}")
    Console(width=140).print(table)
    if json_path:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps([bar.record for bar in bars], indent=1) + "\n")
    return 1 if any(bar.holds is False for bar in bars) else 0
