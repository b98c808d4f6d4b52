"""A rule and the block whose schema holds it: `self` is that block."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from afray.api.block import Block, alias
from afray.api.cel import Rule, quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A rule in its place."""

    block: type[BaseModel]
    rule: Rule


def unchanged(path: str, block: type[Block], field: str) -> str:
    """The expression that a field of the block at `path` has its default."""
    default = block.model_fields[field].get_default(call_default_factory=True)
    subject = f"{path}.{alias(field)}"
    return f"!has({subject})" if default is None else f"{subject} == {quote(to_jsonable_python(default))}"
