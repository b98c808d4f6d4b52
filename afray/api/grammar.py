"""Looks into the models: the field that a path names, and what it may hold, in words for messages and the reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic.fields import FieldInfo

from afray.api import paths
from afray.api.block import Block, alias
from afray.api.job import SelectionJob

Schema = Mapping[str, Any]
"""JSON schema, as pydantic writes it."""


def fields(block: type[Block]) -> dict[str, FieldInfo]:
    """The fields of a block by their YAML spelling."""
    return {alias(name): info for name, info in block.model_fields.items()}


def inner_block(annotation: object) -> type[Block] | None:
    """The block in a type such as `Block | None` or `tuple[Block, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, Block):
        return annotation
    return next(filter(None, map(inner_block, get_args(annotation))), None)


def block_at(path: paths.Path) -> type[Block] | None:
    """The block that a path names, None if it names something else or nothing."""
    block: type[Block] | None = SelectionJob
    for step in path:
        if isinstance(step, int):
            continue
        info = fields(block).get(step) if block else None
        block = inner_block(info.annotation) if info else None
    return block


def field_at(path: paths.Path) -> FieldInfo | None:
    """The field that a path ends in, None if there is none."""
    parent = block_at(path[:-1])
    return fields(parent).get(str(path[-1])) if parent and path else None


def schema_at(path: paths.Path) -> Schema:
    """The JSON schema of the field that a path ends in, empty if there is none."""
    parent = block_at(path[:-1])
    return schemas(parent).get(str(path[-1]), {}) if parent and path else {}


def schemas(block: type[Block]) -> Mapping[str, Schema]:
    """The JSON schema of each field of a block."""
    properties: Mapping[str, Schema] = block.model_json_schema()["properties"]
    return properties


def all_fields(block: type[Block] = SelectionJob, path: paths.Path = ()) -> Iterator[tuple[paths.Path, FieldInfo]]:
    """Yield every field of the grammar with its path, blocks before what they hold."""
    for name, info in fields(block).items():
        yield (*path, name), info
        if below := inner_block(info.annotation):
            yield from all_fields(below, (*path, name))


def summary(info: FieldInfo) -> str:
    """The field's help text in one line."""
    return " ".join((info.description or "").split())


def choices(schema: Schema) -> list[str]:
    """The words that a field may hold, none if it holds something else."""
    given = [variant for variant in schema.get("anyOf", ()) if variant.get("type") != "null"]
    if len(given) == 1:  # may be left out
        return choices(given[0])
    return [str(word) for word in schema.get("enum", [schema["const"]] if "const" in schema else [])]


def form(schema: Schema) -> str:
    """What a field may hold, in words."""
    if variants := schema.get("anyOf"):
        return " or ".join(form(variant) for variant in variants if variant.get("type") != "null")
    if known := choices(schema):
        return ", ".join(known)
    return _FORMS.get(schema.get("type", ""), _mapping_form)(schema)


def _mapping_form(schema: Schema) -> str:
    return "a mapping" + (f" of at most {schema['maxProperties']} entries" if "maxProperties" in schema else "")


def _number_form(schema: Schema) -> str:
    kind = "a whole number" if schema["type"] == "integer" else "a number"
    low = f"from {_plain(schema['minimum'])}" if "minimum" in schema else f"above {_plain(schema['exclusiveMinimum'])}"
    high = (
        f"to {_plain(schema['maximum'])}" if "maximum" in schema else f"to below {_plain(schema['exclusiveMaximum'])}"
    )
    return f"{kind} {low} {high}"


def _plain(bound: float) -> str:
    return str(int(bound)) if bound == int(bound) else str(bound)


def _text_form(schema: Schema) -> str:
    return f"a text of at most {schema['maxLength']} characters"


def _list_form(schema: Schema) -> str:
    if pair := schema.get("prefixItems"):
        return f"[{', '.join(form(item) for item in pair)}]"
    least = schema.get("minItems", 0)
    return f"a list of {least} to {schema['maxItems']} entries"


_FORMS = {
    "integer": _number_form,
    "number": _number_form,
    "string": _text_form,
    "boolean": lambda _: "true or false",
    "array": _list_form,
}
