"""The base of every block of the grammar: what a manifest spells in camelCase, code reads in snake_case.

Blocks are frozen and strict (no "5" for 5, as in a Kubernetes API server) and refuse unknown fields. The docstring
below a field is its help text everywhere: error messages, the reference page, `kubectl explain`.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from afray.api.problems import broken


class Block(BaseModel):
    """A mapping with known fields."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


def alias(name: str) -> str:
    """The YAML spelling of a field."""
    return to_camel(name)


def require_one(remedy: str, **fields: object) -> None:
    """Raise a broken rule unless exactly one of two fields is given."""
    names = [alias(name) for name in fields]
    given = [alias(name) for name, value in fields.items() if value is not None]
    if not given:
        raise broken("", {}, f"gives neither {' nor '.join(names)}", remedy)
    if len(given) > 1:
        raise broken("", given, f"gives both {' and '.join(names)}", "Keep one of them.")
