"""What every benchmark shares: interleaved timing, bars with a verdict, one table and one JSON list.

Ratios are only honest between calls that met the same machine, so calls that will be divided by each other are timed
in turns within one process. CPU seconds (of all threads) stand beside wall seconds: on a shared machine they are the
steadier of the two.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import threadpoolctl
from rich.console import Console
from rich.table import Table

# Pools and the slow transcription are the tests' own.
sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

FORCED_KERNELS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Medians in seconds; `spread` is (slowest - fastest) / median of the CPU seconds."""

    wall: float
    cpu: float
    spread: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One claim: its measured value beside its target."""

    bar: str
    value: float
    target: str
    holds: bool
    spread: float = 0.0


def at_most(bar: str, value: float, limit: float, spread: float = 0.0) -> Bar:
    return Bar(bar=bar, value=value, target=f"<= {limit:g}", holds=value <= limit, spread=spread)


def at_least(bar: str, value: float, limit: float, spread: float = 0.0) -> Bar:
    return Bar(bar=bar, value=value, target=f">= {limit:g}", holds=value >= limit, spread=spread)


def all_equal(bar: str, equal: int, compared: int) -> Bar:
    """Bar on exact results: all of `compared` must be equal."""
    return Bar(bar=bar, value=equal, target=f"{compared} of {compared} equal", holds=equal == compared)


def measure(calls: Mapping[str, Callable[[], object]], *, repeats: int = 5) -> dict[str, Timing]:
    """Median of `repeats` after a warm-up; the calls take turns, so they share the machine's good and bad minutes."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            if turn:
                seconds[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {name: _summary(pairs) for name, pairs in seconds.items()}


def _summary(pairs: list[tuple[float, float]]) -> Timing:
    walls, cpus = [wall for wall, _ in pairs], [cpu for _, cpu in pairs]
    middle = statistics.median(cpus)
    return Timing(wall=statistics.median(walls), cpu=middle, spread=(max(cpus) - min(cpus)) / middle)


def peak_bytes() -> int:
    """Largest resident size of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage starts a child at its parent's size
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


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


def conclude(title: str, bars: list[Bar], json_path: Path | None) -> int:
    """Show the bars, write them if asked, and give the exit status: 1 if any bar is missed."""
    table = Table(title=title)
    for column in ("bar", "value", "target", "holds", "spread"):
        table.add_column(column)
    for bar in bars:
        table.add_row(bar.bar, f"{bar.value:.3g}", bar.target, "yes" if bar.holds else "NO", f"{bar.spread:.0%}")
    Console(width=140).print(table)
    if json_path:
        json_path.write_text(json.dumps([asdict(bar) for bar in bars], indent=1) + "\n")
    return 0 if all(bar.holds for bar in bars) else 1
