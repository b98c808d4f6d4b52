"""The program `afray`: one command per verb."""

from __future__ import annotations

from typing import Annotated

import typer

from afray import __version__
from afray.cli.bench import bench
from afray.cli.cluster import CLUSTER_COMMANDS
from afray.cli.diff import diff
from afray.cli.estimate import estimate
from afray.cli.labels import labels_app
from afray.cli.next import next_round
from afray.cli.output import errors_as_exit_codes
from afray.cli.report import report
from afray.cli.run import run
from afray.cli.validate import validate
from afray.cli.verify import verify
from afray.cli.version import version

app = typer.Typer(
    name="afray",
    help="Choose the rows worth labelling: core rows that cover the pool, then rows near decision boundaries.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(run)
app.command()(validate)
app.command()(estimate)
app.command()(verify)
app.command()(report)
app.command()(bench)
app.command("next")(next_round)
app.command()(diff)
app.add_typer(labels_app)
app.command()(version)
for command in CLUSTER_COMMANDS:
    app.command(rich_help_panel="On a cluster")(command)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"afray {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Options of the program itself."""


def main() -> None:
    """Entry point of the console script."""
    with errors_as_exit_codes():
        app()
