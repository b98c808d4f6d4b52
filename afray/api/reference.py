"""The reference page of the grammar, docs/spec.md, written from the models by `make generate`."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import get_origin

from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from afray.api import grammar, paths, rules
from afray.api.block import Block
from afray.api.crd.rules.one_sided import ONLY_AFRAY, ONLY_SERVER, OTHER_PATHS, OneSided
from afray.api.job import API_VERSION, SelectionJob
from afray.api.problems import show
from afray.api.rules import Target

_INTRODUCTION = f"""\
# The SelectionJob manifest

<!-- Written from the models by `make generate`; change the models, not this page. -->

One grammar for `afray run` on one machine and for the custom resource on a cluster: `apiVersion: {API_VERSION}`,
`kind: SelectionJob`. Unknown fields, repeated keys and values of another type are errors. `afray validate FILE` names
the field, the value and what to write instead, for all problems at once. The files in `examples/` are good starts.

**Locations** (every field called `uri`) are `s3://`, `gs://`, `az://` or `file:///` URIs. `afray run` also takes paths;
a relative one starts at the directory in which the command runs, not at the manifest's. A slash at the end of a folder
means nothing. Credentials never belong into a manifest: they come from the environment.
"""
_RULES = """\
## Rules between fields

`afray validate`, `afray run` and the operator check them. `afray validate --for run|cluster` says for which of the two;
without it, a manifest with `spec.runtime` is meant for a cluster.
"""
_SERVER = """\
## What an API server checks

All of this: the custom resource definition holds types, bounds, defaults and, in CEL, every rule above. `kubectl apply`
refuses what `afray validate --for cluster` refuses, at the same field, with the same words. Exceptions:
"""


def render() -> str:
    """The whole page, in Markdown."""
    sections = [_INTRODUCTION, *_sections(SelectionJob, ()), _listed(_RULES, _rule_lines()), *_one_sided()]
    return "\n".join(sections)


def _listed(heading: str, lines: Iterable[str]) -> str:
    return heading + "\n" + "\n".join(lines) + "\n"


def _one_sided() -> Iterator[str]:
    yield _SERVER
    yield _listed("Refused by `afray validate` alone:\n", _differences(ONLY_AFRAY))
    yield _listed("Refused by an API server alone:\n", _differences(ONLY_SERVER))
    yield _listed("Refused by both, with another field path:\n", _differences(OTHER_PATHS))


def _sections(block: type[Block], path: paths.Path) -> Iterator[str]:
    """A section for the block, then those of the blocks below it."""
    if path:
        yield _section(block, path)
    for name, info in grammar.fields(block).items():
        if below := grammar.inner_block(info.annotation):
            yield from _sections(below, (*path, name + ("[]" if _is_list(info) else "")))


def _section(block: type[Block], path: paths.Path) -> str:
    title = ".".join(map(str, path))
    schemas = grammar.schemas(block)
    rows = [_row(name, info, schemas[name]) for name, info in grammar.fields(block).items()]
    head = ["| Field | Holds | Default | |", "|---|---|---|---|"]
    return "\n".join([f"## {title}", "", inspect.cleandoc(block.__doc__ or ""), "", *head, *rows, ""])


def _row(name: str, info: FieldInfo, schema: grammar.Schema) -> str:
    cells = [f"`{name}`", grammar.form(schema), _default(info), grammar.summary(info)]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |"


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "**required**"
    default = info.get_default(call_default_factory=True)
    if default is None or isinstance(default, Block):
        return ""
    return f"`{show(to_jsonable_python(default))}`"


def _is_list(info: FieldInfo) -> bool:
    return get_origin(info.annotation) is tuple


def _rule_lines() -> Iterator[str]:
    for check in rules.RULES[Target.cluster]:
        where = "" if check in rules.RULES[Target.run] else " (cluster only)"
        yield f"- **{check.__name__.replace('_', ' ')}**{where}: {inspect.cleandoc(check.__doc__ or '')}"


def _differences(differences: Iterable[OneSided]) -> Iterator[str]:
    yield from (f"- {difference.what}. {difference.why}" for difference in differences)
