"""`afray get`: which SelectionJobs there are, and how they stand, in the columns of kubectl."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import JsonValue
from rich.table import Table
from rich.text import Text

from afray.cli.jobs import note
from afray.cli.output import Output, OutputFormat, emit, errors_as_exit_codes, job_name
from afray.cli.place import ContextOption, KubeconfigOption, NamespaceOption, jobs_of
from afray.client.records import JobRecord, Raw, presentable
from afray.client.tables import JobTable, read_table

if TYPE_CHECKING:
    from afray.client.jobs import Jobs


class GetFormat(StrEnum):
    """Forms of a list; `wide` is a table with all columns."""

    table = "table"
    wide = "wide"
    json = "json"
    yaml = "yaml"
    name = "name"


def get(
    name: Annotated[str | None, typer.Argument(help="One SelectionJob. Default: all.", show_default=False)] = None,
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Jobs of all namespaces.")] = False,
    selector: Annotated[
        str | None, typer.Option("--selector", "-l", help="Labels, such as kueue.x-k8s.io/queue-name=team-a.")
    ] = None,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
    form: Annotated[GetFormat, typer.Option("--output", "-o", help="Form of the result.")] = GetFormat.table,
) -> None:
    """List SelectionJobs, or show one.

    Exit codes: 0 also where there are none; 66 no such job or no permission, 67 no usable cluster, 74 no answer.
    """
    if name is not None and (everywhere or selector):
        raise typer.BadParameter("a name goes with neither --all-namespaces nor --selector", param_hint="NAME")
    with errors_as_exit_codes(), jobs_of("get", namespace, context, kubeconfig) as jobs:
        if form in (GetFormat.table, GetFormat.wide):
            _show_table(jobs, name, selector, everywhere=everywhere, wide=form is GetFormat.wide)
        else:
            emit(_objects(jobs, name, selector, everywhere), OutputFormat(form))


def _show_table(jobs: Jobs, name: str | None, selector: str | None, *, everywhere: bool, wide: bool) -> None:
    pages = [jobs.table(name)] if name else jobs.pages(everywhere=everywhere, selector=selector, table=True)
    found = read_table(pages, wide=wide, namespaces=everywhere)
    if found.rows:
        emit(Output(table=_draw(found), data=None, name=""), OutputFormat.table)
    else:
        note("no SelectionJobs" + ("" if everywhere else f" in namespace {jobs.cluster.namespace!r}"))


def _draw(table: JobTable) -> Table:
    drawn = Table(*table.columns, box=None, pad_edge=False, header_style="")
    for row in table.rows:
        drawn.add_row(*map(Text, row))
    return drawn


def _objects(jobs: Jobs, name: str | None, selector: str | None, everywhere: bool) -> Output:
    if name is not None:
        record = jobs.get(name)
        return Output(table="", data=presentable(record.raw), name=job_name(record.name))
    pages = list(jobs.pages(everywhere=everywhere, selector=selector, table=False))
    items = [item for page in pages for item in _items(page)]
    listed: list[JsonValue] = [presentable(item) for item in items]
    names = (job_name(JobRecord.read(item).name) for item in items)
    return Output(table="", data={**pages[0], "items": listed}, name="\n".join(names))


def _items(page: Raw) -> list[Raw]:
    items = page.get("items")
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
