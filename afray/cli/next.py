"""`afray next`: the manifest of the round after a finished one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import yaml

from afray.api.job import GROUP
from afray.api.locations import resolve
from afray.api.selection import LARGEST_COUNT, Method
from afray.api.training import AnnotationFormat, AnnotationsSpec
from afray.cli.output import Output, OutputFormat, console, emit, errors_as_exit_codes
from afray.cli.requirements import require_run_extra
from afray.errors import SpecError

FORMATS: dict[str, AnnotationFormat] = {".csv": "csv", ".parquet": "parquet", ".json": "label-studio"}


def next_round(
    before: Annotated[str, typer.Option("--from", help="Output of the finished round: a folder or a URI.")],
    labels: Annotated[str, typer.Option(help="Answers to its rows: .csv, .parquet, or .json of Label Studio.")],
    budget: Annotated[int, typer.Option(min=1, max=LARGEST_COUNT, help="New rows that people will label.")],
    method: Annotated[Method, typer.Option(help="How to choose them.")] = "uherding",
    output: Annotated[
        str | None, typer.Option("--output", help="Where the round writes. Default: beside the round before.")
    ] = None,
    finetune: Annotated[
        bool, typer.Option(help="Whether the round finetunes, if the round before did; only the last one has to.")
    ] = True,
    form: Annotated[OutputFormat, typer.Option("-o", help="Form of the manifest on stdout.")] = OutputFormat.yaml,
) -> None:
    """Write the manifest of the next round, once the labels of the round before turn out to be its answers."""
    with errors_as_exit_codes():
        require_run_extra("afray next")
        from afray.driver.rounds.planning import Plan, plan_round

        here = Path.cwd()
        file = AnnotationsSpec(uri=resolve(labels, here), format=_format(labels))
        place = output and resolve(output, here)
        plan = Plan(labels=file, budget=budget, method=method, output=place, finetune=finetune)
        planned = plan_round(resolve(before, here), plan)
        screen = console(stderr=True)
        screen.print(f"round {planned.number}: {planned.answered} rows have an answer, {budget} more will be chosen")
        for advice in planned.advice:
            screen.print(f"note: {advice}")
        text = yaml.safe_dump(planned.manifest, sort_keys=False, allow_unicode=True)
        metadata = planned.manifest["metadata"]
        assert isinstance(metadata, dict)
        emit(Output(table=text, data=planned.manifest, name=f"selectionjob.{GROUP}/{metadata['name']}"), form)


def _format(labels: str) -> AnnotationFormat:
    ending = Path(labels).suffix.lower()
    if ending not in FORMATS:
        raise SpecError("--labels", labels, "ends in none of .csv, .parquet and .json", "Rename or export the file.")
    return FORMATS[ending]
