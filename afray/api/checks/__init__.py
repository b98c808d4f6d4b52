"""Rules between fields, one small check each: named after what is wrong, documented with why it matters.

A check yields every violation that it finds. `afray.api.rules` puts checks in order and says which of them apply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from afray.api.block import Block, alias
from afray.api.job import SelectionJob
from afray.api.problems import Problem, show

Check = Callable[[SelectionJob], Iterator[Problem]]


def violation(field: str, value: object, problem: str, remedy: str) -> Problem:
    """A broken rule at `field`, a path below spec."""
    return Problem(field=f"spec.{field}", value=show(value), problem=problem, remedy=remedy)


def changed_fields(block: Block, unless: frozenset[str] = frozenset()) -> Iterator[tuple[str, object]]:
    """The fields of a block (YAML spelling) that differ from their defaults, with their values."""
    for name, info in type(block).model_fields.items():
        value = getattr(block, name)
        if name not in unless and value != info.get_default(call_default_factory=True):
            yield alias(name), value
