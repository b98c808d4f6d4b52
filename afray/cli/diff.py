"""`afray diff`: what two finished selections differ in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import JsonValue
from rich.console import Group
from rich.table import Table
from rich.text import Text

from afray.api.locations import resolve
from afray.cli.output import Output, OutputFormat, OutputOption, emit, errors_as_exit_codes
from afray.cli.requirements import require_run_extra

if TYPE_CHECKING:
    from afray.driver.rounds.comparing import Comparison


def diff(
    first: Annotated[str, typer.Argument(help="Output of a run: a folder or a URI.")],
    second: Annotated[str, typer.Argument(help="Output of another run, such as the round after it.")],
    form: OutputOption = OutputFormat.table,
) -> None:
    """Show what two finished selections differ in: specs, pool, encoder, labels, and the rows chosen."""
    with errors_as_exit_codes():
        require_run_extra("afray diff")
        from afray.driver.rounds.comparing import compare

        uris = resolve(first, Path.cwd()), resolve(second, Path.cwd())
        emit(_output(*uris, compare(*uris)), form)


def _output(first: str, second: str, found: Comparison) -> Output:
    rows: dict[str, JsonValue] = {
        "onlyFirst": list(found.only_first),
        "onlySecond": list(found.only_second),
        "both": list(found.both),
    }
    data: JsonValue = {
        "first": first,
        "second": second,
        "goesOn": found.goes_on,
        "differences": [{"what": one.what, "first": one.first, "second": one.second} for one in found.differences],
        "rows": rows,
    }
    return Output(table=_table(found), data=data, name=f"{first}\n{second}")


def _table(found: Comparison) -> Group:
    table = Table("differs in", "first", "second", box=None, pad_edge=False)
    for one in found.differences:
        table.add_row(one.what, one.first, one.second)
    relation = "The second goes on from the first." if found.goes_on else "Neither goes on from the other."
    rows = (
        f"{len(found.both)} rows are in both, {len(found.only_first)} in the first only, "
        f"{len(found.only_second)} in the second only. {relation}"
    )
    return Group(table, Text(rows))
