"""`kubectl afray`: the commands about a cluster as a plugin, which kubectl finds by the name kubectl-afray."""

from __future__ import annotations

import typer

from afray.cli.cluster import CLUSTER_COMMANDS
from afray.cli.output import errors_as_exit_codes
from afray.cli.validate import validate

app = typer.Typer(
    name="kubectl afray",
    help="SelectionJobs on this cluster: submit, follow, stop, explain. `afray run` and its kin are in afray itself.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(validate)
for command in CLUSTER_COMMANDS:
    app.command()(command)


def main() -> None:
    """Entry point of the console script kubectl-afray."""
    with errors_as_exit_codes():
        app(prog_name="kubectl afray")
