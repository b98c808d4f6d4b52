"""`afray verify`: does an output still match its certificate, and does the selection come out again?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from afray.api.locations import resolve
from afray.cli.display import choose_display
from afray.cli.output import Output, OutputFormat, OutputOption, console, emit, errors_as_exit_codes
from afray.cli.requirements import require_run_extra
from afray.errors import IntegrityError


def verify(
    output: Annotated[str, typer.Argument(help="Output of a run: a folder or a URI.")],
    embed: Annotated[str, typer.Option(help="Also embed this many drawn rows again, or `all`.")] = "0",
    workers: Annotated[int | None, typer.Option(min=1, max=1024, help="Ray workers. Default: one per CPU.")] = None,
    form: OutputOption = OutputFormat.table,
) -> None:
    """Check files, index and stored vectors by digest, and repeat the selection from the stored vectors."""
    rows = _count(embed)
    with errors_as_exit_codes():
        require_run_extra("afray verify")
        from afray.driver.verifying import verify as run_checks
        from afray.driver.workspace import RunSettings

        uri = resolve(output, Path.cwd())
        screen = console(stderr=True)
        passed: list[str] = []
        for check in run_checks(uri, RunSettings(workers=workers), choose_display(screen), embed=rows):
            if not check.holds:
                raise IntegrityError(f"{uri}: {check}")
            passed.append(check.what)
        emit(_result(uri, passed), form)


def _count(embed: str) -> int:
    if embed == "all":
        return -1
    if embed.isdecimal():
        return int(embed)
    raise typer.BadParameter(f"{embed!r} is neither a number of rows nor `all`", param_hint="--embed")


def _result(uri: str, passed: list[str]) -> Output:
    text = Text(f"{uri} matches its certificate: {len(passed)} checks, the last one: {passed[-1]}")
    return Output(table=text, data={"output": uri, "verified": True, "checks": list(passed)}, name=uri)
