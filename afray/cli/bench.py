"""`afray bench`: selection methods side by side on a labelled pool, by one protocol."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from afray.api.job import SelectionJob
from afray.cli.display import choose_display
from afray.cli.output import STOPPED, Output, OutputFormat, OutputOption, console, emit, errors_as_exit_codes, job_name
from afray.cli.requirements import require_run_extra
from afray.cli.run import load_job
from afray.driver.progress import Display
from afray.errors import SpecError

if TYPE_CHECKING:
    from afray.evaluation.bench import Plan
    from afray.evaluation.comparison import Table

T = TypeVar("T")
MOST_SEEDS = 1000
ALL_METHODS = "random,kmeans,activeft,kcenter,typiclust,bilaf"


def bench(
    manifest: Annotated[Path, typer.Argument(help="SelectionJob with pool.labels and evaluation.", exists=True)],
    results: Annotated[Path, typer.Option(help="Folder for results, table and plot. A stopped bench goes on there.")],
    methods: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated; bilaf has 80 % of cores, bilaf@0.2 has 20 %, uherding@4 has four rounds.",
            show_default=ALL_METHODS,
        ),
    ] = None,
    rounds: Annotated[
        str | None,
        typer.Option(help="Such as 1,2,4: k-means at once beside uherding in so many rounds, instead of --methods."),
    ] = None,
    budgets: Annotated[str, typer.Option(help="Labels, such as 50,100,300.")] = "50,100,300",
    seeds: Annotated[str, typer.Option(help="Such as 0-4 or 0,3,7.")] = "0-4",
    pool_size: Annotated[int | None, typer.Option(min=2, help="Rows drawn per seed. Default: the whole pool.")] = None,
    wrong_labels: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of a first round's labels that later rounds see wrong.")
    ] = 0.0,
    base: Annotated[
        str | None, typer.Option(help="The method that others are compared with.", show_default="random, or kmeans")
    ] = None,
    form: OutputOption = OutputFormat.table,
) -> None:
    """Compare selection methods by what their labels are worth: linear probe, 1-NN, macro recall, classes hit."""
    with errors_as_exit_codes(stopped=STOPPED):
        require_run_extra("afray bench")
        job = load_job(manifest, None)
        if rounds is not None:
            methods, base = _methods_of_rounds(rounds, methods), base or "kmeans"
        base = base or "random"
        plan = parse_plan(methods or ALL_METHODS, budgets, seeds, base)
        setting = Setting(pool_size=pool_size, base=base, wrong_labels=wrong_labels)
        table = compare(job, plan, setting, results, choose_display(console(stderr=True)))
        emit(summarize(table, job, write(table, job, results)), form)


def _methods_of_rounds(rounds: str, methods: str | None) -> str:
    """Names of methods for numbers of rounds. Raises SpecError for another word, and for both options at once."""
    if methods is not None:
        raise SpecError(
            "--rounds", rounds, "stands beside --methods", "Write one of them: --methods kmeans,uherding@2."
        )
    numbers = _unique("--rounds", rounds, lambda text: _number("--rounds", text, 1))
    return ",".join("kmeans" if number == 1 else f"uherding@{number}" for number in numbers)


def parse_plan(methods: str, budgets: str, seeds: str, base: str) -> Plan:
    """The cells that the options ask for. Raises SpecError naming the option."""
    from afray.evaluation.bench import Plan
    from afray.evaluation.contenders import parse_contender

    contenders = _unique("--methods", methods, parse_contender)
    if base not in {contender.name for contender in contenders}:
        raise SpecError("--base", base, "is not among --methods", "Add it there, or compare with another method.")
    return Plan(
        contenders=contenders,
        budgets=_unique("--budgets", budgets, lambda text: _number("--budgets", text, 1)),
        seeds=tuple(dict.fromkeys(seed for part in seeds.split(",") for seed in _seeds(part.strip()))),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all cells of a plan share, as the options say."""

    pool_size: int | None
    base: str
    wrong_labels: float


def compare(job: SelectionJob, plan: Plan, setting: Setting, folder: Path, display: Display) -> Table:
    """Embed, compute the missing cells, and summarise all of them."""
    from afray.driver.benching import embed_labelled
    from afray.driver.selecting import describe_methods
    from afray.driver.workspace import RunSettings
    from afray.evaluation import bench as benches
    from afray.evaluation.cells import Results, make_folder
    from afray.evaluation.comparison import tabulate
    from afray.runtime.session import usable_cpus

    options = describe_methods(job.spec.selection)
    if options.core_method == "given" and any(contender.method == "bilaf" for contender in plan.contenders):
        remedy = "Write activeft or kmeans, or leave bilaf out of --methods."
        raise SpecError("spec.selection.core.method", "given", "has no cores for drawn pools", remedy)
    make_folder(folder)
    pool, test = embed_labelled(job, RunSettings(), display)
    protocol = benches.Protocol(
        pool_size=setting.pool_size,
        normalize=job.spec.embedding.normalize,
        options=options,
        wrong_labels=setting.wrong_labels,
    )
    results = Results(folder, protocol.facts(pool, test))
    with display.bar("bench", len(plan.keys), "cells") as bar:
        cells = benches.run(
            pool, test, plan, protocol, results,
            threads=usable_cpus(),
            progress=lambda done, total, step: bar.update(done, total, step),
        )  # fmt: skip
    return tabulate(cells, setting.base)


def write(table: Table, job: SelectionJob, folder: Path) -> list[Path]:
    """The table as markdown and the plot as a page, beside the results."""
    from afray.evaluation import bench_report

    title = f"Selection methods on {job.metadata.name}"
    texts = {"bench.md": bench_report.to_markdown(table, title), "bench.html": bench_report.to_html(table, title)}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts]


def summarize(table: Table, job: SelectionJob, files: list[Path]) -> Output:
    """What the command prints."""
    data = table.as_json() | {"files": [str(file) for file in files]}
    return Output(table=_draw(table, files), data=data, name=job_name(job.metadata.name))


def _draw(table: Table, files: list[Path]) -> RenderableType:
    from afray.evaluation import bench_report

    drawn = RichTable(box=None, padding=(0, 2, 0, 0))
    for title in bench_report.columns(table):
        drawn.add_column(title, justify="left" if title == "method" else "right")
    for row in table.rows:
        drawn.add_row(*bench_report.cells(row))
    return Group(Text(bench_report.legend(table)), drawn, *(Text(str(file)) for file in files))


def _unique(option: str, text: str, parse: Callable[[str], T]) -> tuple[T, ...]:
    words = [word.strip() for word in text.split(",")]
    if repeated := next((word for word in words if words.count(word) > 1), None):
        raise SpecError(option, repeated, "occurs twice", "Keep each once.")
    return tuple(parse(word) for word in words)


def _number(option: str, text: str, lowest: int) -> int:
    if not text.isdecimal() or int(text) < lowest:
        raise SpecError(option, text, f"is not a whole number of at least {lowest}", "Write 50,100 for example.")
    return int(text)


def _seeds(part: str) -> range:
    """One seed, or a range with both ends."""
    ends = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part)
    first, last = (int(ends[1]), int(ends[2] or ends[1])) if ends else (1, 0)
    if not first <= last < first + MOST_SEEDS:
        raise SpecError("--seeds", part, "is neither a seed nor a range of seeds", "Write 0-4, or 0,3,7.")
    return range(first, last + 1)
