"""The base of every block of the grammar: what a manifest spells in camelCase, code reads in snake_case.

Blocks are frozen and strict (no "5" for 5, as in a Kubernetes API server) and refuse unknown fields. The docstring
below a field is its help text everywhere: error messages, the reference page, `kubectl explain`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel

from afray.api.problems import broken


@dataclass(frozen=True, slots=True)
class OneOf:
    """Two fields of a block, of which exactly one must be given."""

    first: str
    second: str
    remedy: str

    BOTH_REMEDY: ClassVar[str] = "Keep one of them."

    @property
    def names(self) -> tuple[str, str]:
        """The two in their YAML spelling."""
        return alias(self.first), alias(self.second)

    @property
    def neither(self) -> str:
        """What is wrong with none of them."""
        return "gives neither {} nor {}".format(*self.names)

    @property
    def both(self) -> str:
        """What is wrong with both."""
        return "gives both {} and {}".format(*self.names)


class Block(BaseModel):
    """A mapping with known fields."""

    one_of: ClassVar[OneOf | None] = None
    """Two fields that exclude each other, none of which can be missed."""

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

    @model_validator(mode="after")
    def _keep_to_one(self) -> Self:
        choice = type(self).one_of
        if choice is None:
            return self
        given = [getattr(self, name) is not None for name in (choice.first, choice.second)]
        if not any(given):
            raise broken("", {}, choice.neither, choice.remedy)
        if all(given):
            raise broken("", list(choice.names), choice.both, choice.BOTH_REMEDY)
        return self


@cache  # an operator asks for some thousand jobs, over and over
def alias(name: str) -> str:
    """The YAML spelling of a field."""
    return to_camel(name)
