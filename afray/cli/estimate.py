"""`afray estimate`: hours, GiB and money of a job, from a thousand of its rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from afray.api import rules
from afray.api.checks.pods import gpu_groups
from afray.api.job import SelectionJob
from afray.api.loading import load
from afray.api.rules import Target
from afray.api.uris import resolve_uris
from afray.cli.display import choose_display
from afray.cli.durations import spell
from afray.cli.output import Output, OutputFormat, OutputOption, console, emit, errors_as_exit_codes, job_name
from afray.cli.requirements import require_run_extra
from afray.errors import SpecError

if TYPE_CHECKING:
    from afray.driver.estimating import Estimate

GIBIBYTE: Final = 2.0**30


def estimate(
    manifest: Annotated[Path, typer.Argument(help="SelectionJob in YAML.", exists=True, dir_okay=False)],
    target: Annotated[
        Target | None,
        typer.Option("--for", help="Where it would run. Default: cluster if spec.runtime is present, else run."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Ray workers of this machine, as of afray run.")
    ] = None,
    rows: Annotated[int | None, typer.Option(min=1, help="Estimate as if the pool had so many rows.")] = None,
    embed_rate: Annotated[
        float | None, typer.Option(min=0.001, help="Rows per second that one worker embeds. Default: measured here.")
    ] = None,
    price: Annotated[
        list[str] | None,
        typer.Option(help="NAME=AMOUNT for an hour: of a pod of head and of each group, or of local. Repeat it."),
    ] = None,
    form: OutputOption = OutputFormat.table,
) -> None:
    """Say what a job would take: hours, GiB and, given prices, money.

    A thousand rows of the pool go through every step on this machine: that takes a minute. The pool is listed once.
    """
    with errors_as_exit_codes():
        job = load(manifest, target=target)
        chosen = target or rules.default_target(job)
        prices = read_prices(price or [])
        require_run_extra("afray estimate")
        from afray.driver import estimating

        question = estimating.Question(target=chosen, workers=workers, rows=rows, embed_rate=embed_rate, prices=prices)
        screen = console(stderr=True)
        found = estimating.estimate(resolve_uris(job, Path.cwd()), question, choose_display(screen))
        emit(_describe(job, found), form)
        for note in notes(job, chosen, found, embed_rate):
            screen.print(Text(f"note: {note}"))


def read_prices(texts: list[str]) -> dict[str, float]:
    """Prices by name. Raises SpecError for what is no price."""
    prices = {}
    for text in texts:
        name, _, amount = text.partition("=")
        try:
            prices[name] = float(amount)
        except ValueError:
            prices[name] = -1.0
        if not name or not 0.0 <= prices[name] < float("inf"):
            raise SpecError("--price", text, "is not a name and an amount", "Write --price gpu=2.50 for example.")
    return prices


def notes(job: SelectionJob, target: Target, found: Estimate, embed_rate: float | None) -> list[str]:
    """What the figures do not say themselves."""
    said = [
        f"{doubt}. The times hold for a machine in this state; ask again when it is quiet" for doubt in found.doubts
    ]
    if target is Target.cluster:
        said.append("pods are taken to be as fast as this machine; waiting for quota, nodes and images is not counted")
        groups = gpu_groups(job)
        if groups and embed_rate is None:
            said.append(f"group {groups[0]} has GPUs; give --embed-rate if they embed faster than this machine")
    if job.spec.finetune is not None or job.spec.evaluation is not None:
        said.append("what follows the selection (spec.finetune, spec.evaluation) is not counted")
    return said


def _describe(job: SelectionJob, found: Estimate) -> Output:
    forecast, place, size = found.forecast, found.place, found.size
    headline = Text(
        f"{job.metadata.name} on {place.name}, {place.workers} workers: {size.rows:,} rows, {size.cores:,} cores, "
        f"{size.budget:,} labels"
    )
    return Output(
        table=Group(headline, _stages(found), *_facts(found)),
        data={
            "name": job.metadata.name,
            "place": place.name,
            "workers": place.workers,
            "rows": size.rows,
            "cores": size.cores,
            "labels": size.budget,
            "embedRate": found.embed_rate,
            "seconds": dict(forecast.stages),
            "hours": forecast.hours,
            "memoryBytes": forecast.memory,
            "driverMemoryBytes": forecast.driver_memory,
            "diskBytes": forecast.disk,
            "outputBytes": forecast.output,
            "money": forecast.money,
            "doubts": list(found.doubts),
        },
        name=job_name(job.metadata.name),
    )


def _stages(found: Estimate) -> Table:
    table = Table("STAGE", "TIME", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for name, seconds in found.forecast.stages.items():
        table.add_row(name, spell(seconds))
    table.add_row("in all", spell(found.forecast.hours * 3600))
    return table


def _facts(found: Estimate) -> list[Text]:
    forecast = found.forecast
    whose = ("in all", "of the driver") if found.place.machines == 1 else ("for each worker pod", "for the head")
    memory, driver, disk, output = (
        f"{count / GIBIBYTE:.1f} GiB"
        for count in (forecast.memory, forecast.driver_memory, forecast.disk, forecast.output)
    )
    facts = [
        f"memory   {memory} {whose[0]}, {driver} {whose[1]}",
        f"disk     {disk} on each machine with workers",
        f"output   {output}",
    ]
    if forecast.money is not None:
        facts.append(f"money    {forecast.money:,.2f}")
    return [Text(fact) for fact in facts]
