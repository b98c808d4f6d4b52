"""What a field without a block holds, said in the older dialect of an API server's schema.

No references, no null, bounds that exclude as flags; `auto` or a number, and quantities, as int-or-string.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from afray.api.cel import INT_OR_STRING, SCHEMALESS, VALIDATIONS

Schema = dict[str, JsonValue]
Json = Mapping[str, Any]
"""A JSON schema as pydantic writes it."""

_KEPT = ("minLength", "maxLength", "pattern", "minItems", "maxItems", "minProperties", "maxProperties", SCHEMALESS)
_INTEGER_OR_TEXT: list[JsonValue] = [{"type": "integer"}, {"type": "string"}]


def leaf(json: Json, definitions: Json) -> Schema:
    """The schema of a field that holds no block."""
    json = without_null(json)
    if reference := json.get("$ref"):
        json = definitions[reference.rsplit("/", 1)[-1]]
    rules = [*json.get(VALIDATIONS, ()), *_key_rules(json)]
    schema = _either(json) if INT_OR_STRING in json or "anyOf" in json else _plain(json, definitions)
    return {**schema, VALIDATIONS: rules} if rules else schema


def without_null(json: Json) -> Json:
    """The schema of a value, where the field may also be left out."""
    variants = [variant for variant in json.get("anyOf", ()) if variant.get("type") != "null"]
    if len(variants) != 1:
        return json if not variants else {**json, "anyOf": variants}
    return {**{name: value for name, value in json.items() if name != "anyOf"}, **variants[0]}


def _plain(json: Json, definitions: Json) -> Schema:
    schema: Schema = {"type": json["type"], **{name: json[name] for name in _KEPT if name in json}}
    match json["type"]:
        case "string":
            schema |= _words(json)
        case "integer" | "number":
            schema |= {"format": "int64" if json["type"] == "integer" else "double"} | _bounds(json)
        case "array":
            item = json["prefixItems"][0] if "prefixItems" in json else json["items"]
            schema |= {"items": leaf(item, definitions), "x-kubernetes-list-type": "atomic"}
        case "object":
            schema |= _entries(json, definitions)
    return schema


def _words(json: Json) -> Schema:
    if choices := json.get("enum", [json["const"]] if "const" in json else []):
        return {"enum": list(choices)}
    return {"format": json["format"]} if "format" in json else {}


def _bounds(json: Json) -> Schema:
    bounds: Schema = {}
    for side in ("minimum", "maximum"):
        if (excluded := json.get(f"exclusive{side.capitalize()}")) is not None:
            bounds |= {side: _number(excluded), f"exclusive{side.capitalize()}": True}
        elif side in json:
            bounds[side] = _number(json[side])
    return bounds


def _number(bound: float) -> float:
    return int(bound) if bound == int(bound) else bound


def _entries(json: Json, definitions: Json) -> Schema:
    """A mapping with known keys, or with values of one kind under any."""
    if properties := json.get("properties"):
        return {"properties": {name: leaf(value, definitions) for name, value in properties.items()}}
    values = [*json.get("patternProperties", {}).values(), json.get("additionalProperties")]
    return {} if SCHEMALESS in json else {"additionalProperties": leaf(values[0], definitions)}


def _key_rules(json: Json) -> list[JsonValue]:
    """Keys have no schema of their own: their rules become rules of the mapping."""
    rules = json.get("propertyNames", {}).get(VALIDATIONS, ())
    return [{**rule, "rule": f"self.all(name, {rule['rule'].replace('self.', 'name.')})"} for rule in rules]


def _either(json: Json) -> Schema:
    """An integer or a text: `auto` or a number, or a quantity."""
    schema: Schema = {INT_OR_STRING: True, "anyOf": _INTEGER_OR_TEXT}
    for variant in json.get("anyOf", (json,)):
        if "const" in variant:
            schema |= {"pattern": f"^{variant['const']}$", "maxLength": len(variant["const"])}
        elif variant["type"] == "integer":
            schema |= _bounds(variant)
        else:
            schema |= {name: variant[name] for name in ("pattern", "maxLength")} | {"minimum": 0}
    return schema
