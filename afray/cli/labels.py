"""`afray labels check`: what is wrong with a label file, row by row, before a job is made to take it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer
from pydantic import JsonValue
from rich.text import Text

from afray.api.locations import resolve
from afray.api.training import AnnotationFormat, AnnotationsSpec
from afray.cli.output import Output, OutputFormat, OutputOption, emit, errors_as_exit_codes
from afray.cli.requirements import require_run_extra
from afray.errors import PoolError, SpecError

if TYPE_CHECKING:
    from afray.driver.rounds.inspecting import Inspection
    from afray.pool.findings import Finding

FORMATS: Final[dict[str, AnnotationFormat]] = {".csv": "csv", ".parquet": "parquet", ".json": "label-studio"}
ROWS_SHOWN: Final = 20

Choice = TypeVar("Choice", bound=StrEnum)

labels_app = typer.Typer(name="labels", help="Labels that people gave to selected rows.", no_args_is_help=True)


@labels_app.command()
def check(
    labels: Annotated[str, typer.Argument(help="The label file: .csv, .parquet, or .json of Label Studio.")],
    before: Annotated[str, typer.Option("--from", help="Output of the run that selected the rows: a folder or a URI.")],
    purpose: Annotated[
        str | None,
        typer.Option("--for", help="round or finetune. Default: what the job of that run goes on with."),
    ] = None,
    output: OutputOption = OutputFormat.table,
) -> None:
    """Say what is wrong with a label file, by row, and what to do next.

    Exit codes: 0 it would be taken, 64 no finished run there, 65 it would be refused, 66 no access, 68 the output of
    that run was edited.
    """
    with errors_as_exit_codes():
        require_run_extra("afray labels check")
        from afray.driver.rounds import inspecting

        wanted = choose("--for", purpose, inspecting.Purpose) if purpose else None
        uri = resolve(before, Path.cwd())
        found = inspecting.inspect(uri, describe_file("LABELS", labels), wanted)
        emit(_output(uri, found), output)
        if found.faults:
            raise PoolError(f"{found.place}: refused for a {found.purpose}. Mend what is told above, and check again")


def describe_file(option: str, labels: str) -> AnnotationsSpec:
    """The file that an option names, its format told by its ending. Raises SpecError for another ending."""
    ending = Path(labels).suffix.lower()
    if ending not in FORMATS:
        raise SpecError(option, labels, "ends in none of .csv, .parquet and .json", "Rename or export the file.")
    return AnnotationsSpec(uri=resolve(labels, Path.cwd()), format=FORMATS[ending])


def choose(option: str, word: str, choices: type[Choice]) -> Choice:
    """The word as one of the choices, which are not imported before they are needed. Raises SpecError for another."""
    try:
        return choices(word)
    except ValueError:
        raise SpecError(option, word, "is not among the choices", f"Write {' or '.join(choices)}.") from None


def _output(uri: str, found: Inspection) -> Output:
    data: JsonValue = {
        "labels": found.place,
        "output": uri,
        "for": found.purpose.value,
        "accepted": not found.faults,
        "asked": found.asked,
        "labelled": len(found.labels),
        "skipped": found.skipped,
        "unsure": found.unsure,
        "open": found.open,
        "classes": dict(Counter(found.labels.values()).most_common()),
        "problems": [_as_json(one) for one in found.faults],
        "notes": [_as_json(one) for one in found.notes],
    }
    return Output(table=Text("\n").join(_lines(found)), data=data, name=found.place)


def _as_json(one: Finding) -> JsonValue:
    return {"where": one.where, "problem": one.problem, "next": one.remedy, "rows": dict(one.rows)}


def _lines(found: Inspection) -> Iterator[Text]:
    problems = "1 problem" if len(found.faults) == 1 else f"{len(found.faults)} problems"
    verdict = f"refused, {problems}" if found.faults else "would be taken"
    yield Text(f"{found.place}: {verdict} (for a {found.purpose})")
    yield Text(
        f"of the {found.asked} rows that {found.job} selected: {len(found.labels)} labelled, "
        f"{found.skipped} skipped, {found.unsure} unsure, {found.open} open"
    )
    counts = Counter(found.labels.values()).most_common()
    yield Text("labels: " + (", ".join(f"{count} {name!r}" for name, count in counts) or "none"))
    for one in found.faults:
        yield _describe(one, one.where or "the file")
    for one in found.notes:
        yield _describe(one, "note")


def _describe(one: Finding, head: str) -> Text:
    rows = [f"{row_id!r}: {said}" if said else repr(row_id) for row_id, said in one.rows.items()]
    is_named = len(rows) == 1 and rows[0] in one.problem
    more = f" and {len(rows) - ROWS_SHOWN} more (-o json has all)" if len(rows) > ROWS_SHOWN else ""
    lines = ("\n    ", ("rows:  ", "dim"), "; ".join(rows[:ROWS_SHOWN]) + more) if rows and not is_named else ()
    return Text.assemble((head, "bold"), f": {one.problem}", *lines, "\n    ", ("next:  ", "dim"), one.remedy)
