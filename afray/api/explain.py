"""Turns pydantic's errors into problems a user can act on: field as in YAML, value, what is wrong, what to write."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from afray.api import grammar, paths
from afray.api.problems import HIDDEN, Problem, show

_NOTHING = "nothing"
_SECRET_ENDINGS = ("key", "secret", "token", "password")
_TYPES = {
    "string_type": (
        "is not a text",
        "Put it in quotes: YAML reads yes, no, on, off, numbers and dates as other types.",
    ),
    "int_type": ("is not a whole number", "Write digits alone, without quotes, exponent or fraction."),
    "int_from_float": ("is not a whole number", "Write digits alone, without quotes, exponent or fraction."),
    "float_type": ("is not a number", "Write a number without quotes, such as 0.1."),
    "finite_number": ("is not a finite number", "Write a number such as 0.1."),
    "bool_type": ("is neither true nor false", "Write true or false, without quotes."),
    "tuple_type": ("is not a list", "Write a list: one '- ' line an entry, or [first, second]."),
    "dict_type": ("is not a mapping", "Write 'name: value' lines below it."),
    "invalid_key": (
        "has a name that is not a text",
        "Put the name in quotes: YAML reads yes, no, on, off as booleans.",
    ),
    "recursion_loop": ("contains itself", "Take the YAML alias (*) out."),
    "recursion_depth_exceeded": ("is nested too deeply", "Flatten it."),
}
_BOUNDS = {
    "greater_than": "is not above {gt}",
    "greater_than_equal": "is below {ge}",
    "less_than": "is not below {lt}",
    "less_than_equal": "is above {le}",
    "string_too_short": "is shorter than {min_length} characters",
    "string_too_long": "is longer than {max_length} characters",
    "too_short": "has fewer than {min_length} entries",
    "too_long": "has more than {max_length} entries",
}


def explain(error: ValidationError) -> tuple[Problem, ...]:
    """Every error as a problem, in pydantic's order."""
    found = error.errors(include_url=False)
    return tuple(_explain(details) for details in found if not _counts_broken_entries(details, found))


def _counts_broken_entries(details: ErrorDetails, found: list[ErrorDetails]) -> bool:
    """Pydantic also calls a list too short when its entries are broken; those are named themselves."""
    path = details["loc"]
    below = (other["loc"] for other in found if len(other["loc"]) > len(path))
    return details["type"] == "too_short" and any(other[: len(path)] == path for other in below)


def _explain(details: ErrorDetails) -> Problem:
    path = tuple(step for step in details["loc"] if step != "[key]")
    field, kind, context = paths.join(path), details["type"], details.get("ctx", {})
    if kind == "broken_rule":
        return Problem(
            field=paths.below(field, context["field"]),
            value=context["value"],
            problem=context["problem"],
            remedy=context["remedy"],
        )
    value = _NOTHING if kind == "missing" else _shown(path, details["input"])
    problem, remedy = _words(kind, path, details["input"], context)
    return Problem(field=field, value=value, problem=problem, remedy=remedy)


def _shown(path: paths.Path, value: object) -> str:
    """The value, unless it may be a secret that landed in the wrong field."""
    name = str(path[-1]).lower() if path else ""
    if isinstance(value, (Mapping, list)):
        return "a list" if isinstance(value, list) else "a mapping"
    return HIDDEN if "env" in path or name.endswith(_SECRET_ENDINGS) else show(value)


def _words(kind: str, path: paths.Path, value: object, context: dict[str, Any]) -> tuple[str, str]:
    """What is wrong and what to do, for one of pydantic's own errors."""
    if kind == "missing":
        return "is required", f"Add it: {_help(path)}"
    if kind == "extra_forbidden":
        return f"is not a field of {paths.join(path[:-1]) or 'a SelectionJob'}", _nearest_field(path)
    if value is None and kind != "invalid_key":
        return "is empty", f"Give a value (in quotes if it starts with #), or remove the line: {_help(path)}"
    if kind == "literal_error":
        choices = grammar.choices(grammar.schema_at(path))
        return "is not a known value", f"{_nearest(value, choices)}Use {' or '.join(choices)}."
    if kind == "model_type":
        return "is not a mapping", f"Write its fields below it: {', '.join(_fields_at(path))}."
    if kind in _BOUNDS:
        bounds = {name: f"{bound:g}" if isinstance(bound, float) else bound for name, bound in context.items()}
        return _BOUNDS[kind].format_map(bounds), f"Use {grammar.form(grammar.schema_at(path))}: {_help(path)}"
    return _TYPES.get(kind, (f"is not valid ({kind})", f"Check it: {_help(path)}"))


def _help(path: paths.Path) -> str:
    info = grammar.field_at(path)
    return grammar.summary(info) if info else "see the reference of the grammar, docs/spec.md."


def _fields_at(path: paths.Path) -> list[str]:
    block = grammar.block_at(path)
    return list(grammar.fields(block)) if block else []


def _nearest(value: object, choices: Iterable[str]) -> str:
    """A guess at what was meant, empty if nothing is close."""
    by_folded = {_folded(choice): choice for choice in choices}
    close = difflib.get_close_matches(_folded(str(value)), by_folded, n=1, cutoff=0.75)
    return f"Did you mean {by_folded[close[0]]}? " if close else ""


def _folded(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _nearest_field(path: paths.Path) -> str:
    name, known = path[-1], _fields_at(path[:-1])
    if guess := _nearest(name, known):
        return guess.strip()
    elsewhere = [other for other, _ in grammar.all_fields() if other[-1] == name]
    if len(elsewhere) == 1:
        return f"Did you mean {paths.join(elsewhere[0])}?"
    return f"Remove it, or use one of: {', '.join(known)}."
