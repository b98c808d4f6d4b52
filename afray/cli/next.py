"""`afray next`: the manifest of the round after a finished one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import yaml

from afray.api.job import GROUP
from afray.api.locations import resolve
from afray.api.selection import LARGEST_COUNT, Method
from afray.cli.labels import choose, describe_file
from afray.cli.output import Output, OutputFormat, console, emit, errors_as_exit_codes
from afray.cli.requirements import require_run_extra

if TYPE_CHECKING:
    from afray.driver.rounds.planning import NextRound


def next_round(
    before: Annotated[str, typer.Option("--from", help="Output of the finished round: a folder or a URI.")],
    budget: Annotated[int, typer.Option(min=1, max=LARGEST_COUNT, help="New rows that people will label.")],
    labels: Annotated[
        str | None,
        typer.Option(
            help="Answers to its rows: .csv, .parquet, or .json of Label Studio. Left out: a job on a cluster waits "
            "for them, `afray run` does not."
        ),
    ] = None,
    method: Annotated[Method, typer.Option(help="How to choose them.")] = "uherding",
    judge: Annotated[
        str, typer.Option(help="What makes use of the labels: a trained classifier, or the nearest labelled row.")
    ] = "trained",
    output: Annotated[
        str | None, typer.Option("--output", help="Where the round writes. Default: beside the round before.")
    ] = None,
    finetune: Annotated[
        bool, typer.Option(help="Whether the round finetunes, if the round before did; only the last one has to.")
    ] = True,
    form: Annotated[OutputFormat, typer.Option("-o", help="Form of the manifest on stdout.")] = OutputFormat.yaml,
) -> None:
    """Write the manifest of the next round. Labels of the round before must turn out to be its answers."""
    with errors_as_exit_codes():
        require_run_extra("afray next")
        from afray.driver.rounds.planning import Judge, Plan, plan_round

        here = Path.cwd()
        plan = Plan(
            labels=describe_file("--labels", labels) if labels else None,
            budget=budget,
            method=method,
            judge=choose("--judge", judge, Judge),
            output=output and resolve(output, here),
            finetune=finetune,
        )
        planned = plan_round(resolve(before, here), plan)
        _tell(planned, budget, waits=not labels)
        text = yaml.safe_dump(planned.manifest, sort_keys=False, allow_unicode=True)
        metadata = planned.manifest["metadata"]
        assert isinstance(metadata, dict)
        emit(Output(table=text, data=planned.manifest, name=f"selectionjob.{GROUP}/{metadata['name']}"), form)


def _tell(planned: NextRound, budget: int, *, waits: bool) -> None:
    screen = console(stderr=True)
    then = "; it waits for the labels of the round before" if waits else ""
    screen.print(f"round {planned.number}: {planned.answered} rows have an answer, {budget} more will be chosen{then}")
    for advice in planned.advice:
        screen.print(f"note: {advice}")
