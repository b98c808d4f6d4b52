"""From models to a structural OpenAPI schema, as apiextensions.k8s.io/v1 wants it: blocks, lists, defaults, help.

What a single field holds is in `leaves`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from json import dumps as json_text
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from afray.api import grammar
from afray.api.cel import VALIDATIONS
from afray.api.cluster import WorkerGroupSpec
from afray.api.crd.leaves import Json, Schema, leaf, without_null
from afray.api.crd.rules import BLOCK_RULES
from afray.api.job import JobSpec
from afray.api.runtime import Variable
from afray.api.status import Condition

LIST_KEYS: Final[Mapping[type[BaseModel], str]] = {WorkerGroupSpec: "name", Variable: "name", Condition: "type"}
"""Entries that are told apart by a field, so that an API server merges them and refuses two alike."""
ALSO_REQUIRED: Final[Mapping[type[BaseModel], frozenset[str]]] = {JobSpec: frozenset({"runtime", "cluster"})}
"""What `afray run` can do without."""


def block(model: type[BaseModel], help_text: str = "") -> Schema:
    """The schema of a model; `help_text` is that of the field which holds it."""
    fields = {str(info.alias): info for info in model.model_fields.values()}
    json = model.model_json_schema()
    schema: Schema = {"description": _joined(help_text, model.__doc__), "type": "object"}
    required = [name for name, info in fields.items() if info.is_required() or name in ALSO_REQUIRED.get(model, ())]
    if required:
        schema["required"] = list(required)
    schema["properties"] = {
        name: _field(info, json["properties"][name], json.get("$defs", {})) for name, info in fields.items()
    }
    if rules := BLOCK_RULES.get(model):
        schema[VALIDATIONS] = [rule.to_schema() for rule in rules]
    return schema


def inner_model(annotation: object) -> type[BaseModel] | None:
    """The model in a type such as `Model | None` or `tuple[Model, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(inner_model, get_args(annotation))), None)


def _field(info: FieldInfo, json: Json, definitions: Mapping[str, Any]) -> Schema:
    help_text, inner = _joined(info.description), inner_model(info.annotation)
    default = _default(info)
    if inner is None:
        schema = {"description": _joined(help_text, *_bounds_in_words(json, default)), **leaf(json, definitions)}
    elif get_origin(info.annotation) is tuple:
        schema = {"description": help_text, **_list(inner, without_null(json))}
    else:
        schema = block(inner, help_text)
    return schema if default is None else {**schema, "default": default}


def _list(inner: type[BaseModel], json: Json) -> Schema:
    bounds = {name: json[name] for name in ("minItems", "maxItems") if name in json}
    kind: Schema = {"x-kubernetes-list-type": "atomic"}
    if key := LIST_KEYS.get(inner):
        kind = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
    return {"type": "array", **bounds, **kind, "items": block(inner)}


def _default(info: FieldInfo) -> Any:
    """The default as JSON, None if there is none. That of a block is empty: an API server fills in what is below."""
    if info.is_required():
        return None
    default = info.get_default(call_default_factory=True)
    return {} if isinstance(default, BaseModel) else to_jsonable_python(default)


def _bounds_in_words(json: Json, default: Any) -> Iterator[str]:
    """What `kubectl explain` does not say by itself: known words, the numbers that may be given, the default."""
    plain = without_null(json)
    if words := plain.get("examples"):
        yield f"One of {', '.join(words)}."
    if {"maximum", "exclusiveMaximum", "anyOf"} & plain.keys():
        yield f"{grammar.form(plain)}.".capitalize()
    if default not in (None, "", [], {}):
        yield f"Default: {json_text(default)}."


def _joined(*texts: str | None) -> str:
    """Help texts in one line, none that another begins with."""
    lines = list(dict.fromkeys(" ".join((text or "").split()) for text in texts))
    said = (line for line in lines if not any(line != other and other.startswith(line.rstrip(".")) for other in lines))
    return " ".join(filter(None, said))
