"""Manifests as commands take them: a file, or `-` for stdin; problems as text, and as data where data is wanted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import JsonValue

from afray.api.job import SelectionJob
from afray.api.loading import load, load_text
from afray.api.problems import InvalidManifest
from afray.api.rules import Target
from afray.cli.output import Output, OutputFormat, emit

STANDARD_INPUT: Final = Path("-")


def _require_file(file: Path) -> Path:
    """Typer's own check of existence refuses `-`."""
    if file != STANDARD_INPUT and (not file.exists() or file.is_dir()):
        raise typer.BadParameter(f"{file} is not a file.")
    return file


ManifestArgument = Annotated[Path, typer.Argument(help="The manifest; - reads stdin.", callback=_require_file)]


def load_manifest(file: Path, target: Target | None, form: OutputFormat) -> SelectionJob:
    """The job; where it is invalid, a program that asked for data gets the problems as data."""
    try:
        if file == STANDARD_INPUT:
            return load_text(sys.stdin.read(), "stdin", target=target)
        return load(file, target=target)
    except InvalidManifest as error:
        if form in (OutputFormat.json, OutputFormat.yaml):
            problems: list[JsonValue] = [problem.as_json() for problem in error.problems]
            emit(Output(table="", name="", data={"valid": False, "source": error.source, "problems": problems}), form)
        raise
