"""`afray validate`: is the manifest right, and can its first rows be read?

Nothing of the data plane is imported before a row is wanted, so `--offline` works in the base install.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from pydantic import JsonValue
from rich.console import Group
from rich.table import Table
from rich.text import Text

from afray.api import rules
from afray.api.digest import spec_digest
from afray.api.job import SelectionJob
from afray.api.rules import Target
from afray.api.uris import resolve_uris
from afray.cli.manifests import ManifestArgument, load_manifest
from afray.cli.output import Output, OutputFormat, OutputOption, console, emit, errors_as_exit_codes, job_name
from afray.errors import EnvironmentFault

if TYPE_CHECKING:
    from afray.cli.sampling import SampleRow

SAMPLE_ROWS: Final = 8


def validate(
    file: ManifestArgument,
    target: Annotated[
        Target | None,
        typer.Option("--for", help="Whose rules apply. Default: cluster if spec.runtime is present, else run."),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Check the manifest alone; read no rows.")] = False,
    output: OutputOption = OutputFormat.table,
) -> None:
    """Check a manifest, and read the first 8 rows of its pool.

    Every problem is named with its field, its value and what to write instead. Exit codes: 0 valid, 64 problems in the
    manifest, 65 no readable row or an unusable label file, 66 no access.
    """
    with errors_as_exit_codes():
        job = load_manifest(file, target, output)
        chosen = target or rules.default_target(job)
        rows = None if offline else sample_rows(job)
        emit(_describe(job, chosen, rows), output)
        for note in _notes(job, chosen, rows or ()):
            console(stderr=True).print(Text(f"note: {note}"))


def sample_rows(job: SelectionJob, count: int = SAMPLE_ROWS) -> tuple[SampleRow, ...]:
    """The first `count` rows of the pool; relative paths start at the working directory.

    Raises EnvironmentFault in the base install, and what `sampling.read_rows` raises.
    """
    try:
        from afray.cli import sampling
    except ModuleNotFoundError as error:
        raise EnvironmentFault(
            f"reading rows needs the package {error.name}, which is not installed. "
            "Install it with: pip install 'afray[run]', or check the manifest alone with --offline"
        ) from error
    return sampling.read_rows(resolve_uris(job, Path.cwd()).spec, count)


def _describe(job: SelectionJob, target: Target, rows: Sequence[SampleRow] | None) -> Output:
    headline = Text(f"{job.metadata.name}: valid for {target.value}")
    samples: JsonValue = None if rows is None else [dict(asdict(row)) for row in rows]
    return Output(
        table=Group(headline, _table(rows)) if rows else headline,
        data={
            "valid": True,
            "name": job.metadata.name,
            "target": target.value,
            "specDigest": spec_digest(resolve_uris(job, Path.cwd())),
            "rows": samples,
        },
        name=job_name(job.metadata.name),
    )


def _table(rows: Sequence[SampleRow]) -> Table:
    table = Table("ID", "BYTES", "CONTENT", "LABEL", "REMARK", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for row in rows:
        content = Text(f"quarantined: {row.reason}", "yellow") if row.reason else Text(row.content)
        table.add_row(Text(row.id), f"{row.size_bytes:,}", content, Text(row.label or "-"), Text(row.remark or ""))
    return table


def _notes(job: SelectionJob, target: Target, rows: Sequence[SampleRow]) -> Iterator[str]:
    """What is no mistake by itself, and yet often one."""
    if target is Target.run and (unused := rules.unused_by_run(job)):
        yield f"afray run does not use {', '.join(unused)}"
    labels = job.spec.pool.labels
    if labels is not None and rows and not any(row.label for row in rows):
        yield f"none of these rows has a label in {labels.uri}: are its ids spelled as above?"
