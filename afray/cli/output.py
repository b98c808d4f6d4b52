"""How every command speaks: data on stdout in the form that was asked for, everything else on stderr.

rich leaves colours out where NO_COLOR is set and where the output is no terminal.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

import typer
import yaml
from pydantic import JsonValue
from rich.console import Console, RenderableType
from rich.text import Text

from afray.api.problems import InvalidManifest, Problem
from afray.errors import AfrayError

WIDTH_OF_A_PIPE: Final = 10_000
"""Columns where there is no terminal: nothing is wrapped or cut that `grep` and `awk` shall find."""

INTERRUPTED: Final = 130
"""Exit code after Ctrl-C, as of shells."""

STOPPED: Final = "stopped; the same command again goes on from what is finished"


class OutputFormat(StrEnum):
    """Forms of the data that a command gives."""

    table = "table"
    json = "json"
    yaml = "yaml"
    name = "name"


OutputOption = Annotated[
    OutputFormat, typer.Option("--output", "-o", help="Form of the result on stdout.", show_choices=True)
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a command found out, in each form."""

    table: RenderableType
    """For people."""
    data: JsonValue
    """For programs: the same facts and more."""
    name: str
    """The object as kubectl names it, such as selectionjob.afray.dev/weld-pilot."""


def emit(output: Output, form: OutputFormat) -> None:
    """Write the result to stdout."""
    match form:
        case OutputFormat.table:
            console().print(output.table)
        case OutputFormat.json:
            typer.echo(json.dumps(output.data, indent=2, ensure_ascii=False, allow_nan=False))
        case OutputFormat.yaml:
            typer.echo(yaml.safe_dump(output.data, sort_keys=False, allow_unicode=True), nl=False)
        case OutputFormat.name:
            typer.echo(output.name)


def console(*, stderr: bool = False) -> Console:
    """A console for data, or (stderr) for progress, notes and errors."""
    made = Console(stderr=stderr, highlight=False)
    return made if made.is_terminal else Console(stderr=stderr, highlight=False, width=WIDTH_OF_A_PIPE)


def job_name(name: str) -> str:
    """A job as kubectl names it."""
    return f"selectionjob.afray.dev/{name}"


@contextmanager
def errors_as_exit_codes(*, stopped: str = "stopped") -> Iterator[None]:
    """Show an AfrayError on stderr and leave with its exit code, `stopped` after Ctrl-C; others are bugs and pass."""
    try:
        yield
    except AfrayError as error:
        console(stderr=True).print(error_text(error))
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        console(stderr=True).print(stopped)
        raise typer.Exit(INTERRUPTED) from None


def error_text(error: AfrayError) -> Text:
    """The error as a person reads it."""
    if isinstance(error, InvalidManifest):
        count = "1 problem" if len(error.problems) == 1 else f"{len(error.problems)} problems"
        return Text("\n").join([_headline(f"{error.source}: {count}"), *map(_problem_text, error.problems)])
    return _headline(str(error))


def _headline(message: str) -> Text:
    return Text.assemble(("error: ", "bold red"), message)


def _problem_text(problem: Problem) -> Text:
    line = "" if problem.line is None else f" (line {problem.line})"
    return Text.assemble(
        (problem.field, "bold"), f"{line} {problem.problem}\n",
        ("    value: ", "dim"), f"{problem.value}\n",
        ("    next:  ", "dim"), problem.remedy,
    )  # fmt: skip
