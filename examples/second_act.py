"""What stands around the second round of `make demo`: answers as people would give them, and one table at the end.

    python examples/second_act.py answer demo/fashion-mnist/out demo/fashion-mnist/pool-labels.csv labels-1.csv
    python examples/second_act.py compare demo/fashion-mnist/out demo/fashion-mnist/out-2 bench.json

The first looks up the label of every selected row, the second puts the linear probes of two outputs beside those of
`afray bench -o json`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

METHODS = {
    "kmeans": "all at once, by k-means",
    "random": "at random",
    "uherding@2": "k-means, then a round",
}
"""What a bench calls them, in words."""

app = typer.Typer(add_completion=False)


@app.command()
def answer(output: Path, known: Path, answers: Path) -> None:
    """Write the labels of the rows that OUTPUT selected, out of the table KNOWN, to the file ANSWERS."""
    with known.open(newline="") as file:
        labels = {row["id"]: row["label"] for row in csv.DictReader(file)}
    with (output / "selection.csv").open(newline="") as file:
        chosen = [row["id"] for row in csv.DictReader(file)]
    with answers.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "label"])
        writer.writerows((row_id, labels[row_id]) for row_id in chosen)


@app.command()
def compare(first: Path, second: Path, bench: Path) -> None:
    """Print what the labels of the outputs FIRST and SECOND are worth, beside the methods of a BENCH."""
    title = "what labels are worth: a linear probe on held-out images, ± over seeds"
    table = Table(title=title, title_justify="left", box=None)
    table.add_column("labels", justify="right")
    table.add_column("chosen by")
    table.add_column("accuracy")
    table.add_column("macro recall", justify="right")
    for line in [*outputs(first, second), *methods(bench)]:
        table.add_row(*line)
    Console().print(table)


def outputs(first: Path, second: Path) -> Iterator[tuple[str, ...]]:
    """A line for each of two rounds."""
    for output, words in ((first, "the first act"), (second, "and a round that knows their labels")):
        probe = json.loads((output / "report.json").read_text())["evaluation"]["probe"]
        yield str(probe["labels"]), words, f"{probe['selected']:.1%}", f"{probe['macroRecall']:.1%}"


def methods(bench: Path) -> Iterator[tuple[str, ...]]:
    """A line for each method of a bench, means over its seeds."""
    for row in json.loads(bench.read_text())["rows"]:
        spread = "" if row["accuracy_sd"] is None else f" ± {100 * row['accuracy_sd']:.1f}"
        words = f"{METHODS.get(row['method'], row['method'])}, mean of {row['seeds']}"
        yield str(row["budget"]), words, f"{row['accuracy']:.1%}{spread}", f"{row['macro_recall']:.1%}"


if __name__ == "__main__":
    app()
