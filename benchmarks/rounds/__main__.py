"""Rounds beside k-means at once, 100 and 300 labels in all, on real data: `make nightly-rounds`, or in `benchmarks`

    python -m rounds [--only fashion-mnist openclipart hapt] [--seeds 5] [--folder FOLDER] [--json FILE]

Data come from packages at the first call, and stay outside the checkout. A stopped call goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import harness
from harness import Bar

from afray.evaluation.comparison import Row, Table
from rounds import comparing, hapt, openclipart
from rounds.comparing import ROUNDS, Prepare

BUDGETS = (100, 300)


@dataclass(frozen=True, slots=True)
class Contest:
    """A set, and the points that rounds shall gain there with 300 labels."""

    prepare: Prepare
    gains: dict[int, float]


CONTESTS = {
    "fashion-mnist": Contest(comparing.fashion_mnist, {2: 0.5, 4: 0.8}),
    "openclipart": Contest(comparing.by_split(openclipart.load, openclipart.HELD_OUT), {4: 1.5}),
    "hapt": Contest(comparing.by_split(hapt.load, hapt.HELD_OUT), {4: 1.5}),
}


def measure(name: str, folder: Path, seeds: tuple[int, ...]) -> list[Bar]:
    """Run what is missing, print the table, and judge it."""
    folder.mkdir(parents=True, exist_ok=True)
    benches = CONTESTS[name].prepare(folder, seeds)
    table = comparing.tabulate([cell for bench in benches for cell in comparing.run(bench, BUDGETS)], BUDGETS, seeds)
    print(f"\n{name}\n\n{comparing.to_markdown(table)}\n", flush=True)
    return judge(name, table)


def judge(name: str, table: Table) -> list[Bar]:
    """The gains that are asked for, and that nothing is significantly worse than k-means at once."""
    label = f"{name}, {max(BUDGETS)} labels, rounds: "
    gains = [
        harness.at_least(f"{label}{rounds}", gain(table.row(ROUNDS[rounds], max(BUDGETS))), points)
        for rounds, points in CONTESTS[name].gains.items()
    ]
    worse = sum(is_worse(row) for row in table.rows)
    return [*gains, harness.at_most(f"{name}, significantly below k-means", worse, 0)]


def gain(row: Row) -> float:
    """Points of the linear probe above k-means at once."""
    assert row.difference is not None
    return 100 * row.difference.mean


def is_worse(row: Row) -> bool:
    """Whether the whole interval of the difference lies below zero."""
    return row.difference is not None and row.difference.high is not None and row.difference.high < 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(CONTESTS), default=list(CONTESTS), help="only these sets")
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0")
    parser.add_argument("--folder", type=Path, default=Path.home() / ".cache" / "afray" / "rounds")
    parser.add_argument("--json", type=Path, help="write the bars as a JSON list to this file")
    options = parser.parse_args()
    folder, seeds = options.folder.absolute(), tuple(range(options.seeds))
    bars = [bar for name in options.only for bar in measure(name, folder / name, seeds)]
    return harness.conclude("Rounds beside k-means at once, points of the linear probe", bars, options.json)


if __name__ == "__main__":
    sys.exit(main())
