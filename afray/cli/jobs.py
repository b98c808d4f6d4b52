"""Jobs of a cluster as commands print them."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from afray.api.status import FinetuneStatus
from afray.cli.output import Output, console, job_name
from afray.client.records import JobRecord, presentable


def say(record: JobRecord, sentence: str) -> Output:
    """What a command did to a job: a sentence for people, the job for programs."""
    return _output(record, Text(f"{record.name}: {sentence}"))


def say_result(record: JobRecord) -> Output:
    """What the job found, as far as it is."""
    facts = Table.grid(padding=(0, 2))
    for name, value in _facts(record):
        facts.add_row(name, Text(value))
    return _output(record, facts)


def note(text: str) -> None:
    """Tell something beside the data, on stderr."""
    console(stderr=True).print(Text(f"note: {text}"), soft_wrap=True)


def _output(record: JobRecord, table: RenderableType) -> Output:
    return Output(table=table, data=presentable(record.raw), name=job_name(record.name))


def _facts(record: JobRecord) -> Iterator[tuple[str, str]]:
    status = record.status
    if status.phase is not None:
        yield "phase", status.phase
    if status.result is not None:
        yield "selected", f"{status.result.selected:,} of {status.result.pool_size:,} rows"
        yield "selectionDigest", status.result.digest
        yield "output", status.result.uri
    if status.finetune is not None:
        yield "finetune", _finetune(status.finetune)


def _finetune(finetune: FinetuneStatus) -> str:
    basis = ", on selected rows, biased" if finetune.biased else ""
    return f"accuracy {finetune.accuracy:.1%}, macro recall {finetune.macro_recall:.1%}{basis}"
