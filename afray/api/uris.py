"""All locations of a job: every field called `uri`, and nothing else, is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from afray.api.block import Block, alias
from afray.api.job import SelectionJob
from afray.api.locations import resolve

B = TypeVar("B", bound=Block)


def locations(block: Block, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (field path, location) of each location in the block, in the order of the grammar."""
    for name in type(block).model_fields:
        field = f"{path}.{alias(name)}".removeprefix(".")
        value = getattr(block, name)
        if isinstance(value, Block):
            yield from locations(value, field)
        elif name == "uri" and value is not None:
            yield field, value


def resolve_uris(job: SelectionJob, base_dir: Path) -> SelectionJob:
    """The job with a full URI in place of each path; relative paths start at `base_dir`.

    For `afray run` that is the working directory, as for any command, so a manifest can be kept anywhere.
    """
    return _resolved(job, base_dir)


def _resolved(block: B, base_dir: Path) -> B:
    found: dict[str, object] = {}
    for name in type(block).model_fields:
        value = getattr(block, name)
        if isinstance(value, Block):
            found[name] = _resolved(value, base_dir)
        elif name == "uri" and value is not None:
            found[name] = resolve(value, base_dir)
    return block.model_copy(update=found)
