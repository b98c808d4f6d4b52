"""Blocks that take exactly one of two fields: `Block.one_of`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from afray.api import grammar
from afray.api.block import Block
from afray.api.cel import Rule
from afray.api.crd.rules.placed import Placed


def _blocks() -> Iterator[type[Block]]:
    found = (grammar.inner_block(info.annotation) for _, info in grammar.all_fields())
    return (block for block in dict.fromkeys(found) if block is not None)


def _exclusive(block: type[Block]) -> Iterator[Placed]:
    if block.one_of is None:
        return
    first, second = (f"has(self.{name})" for name in block.one_of.names)
    choice = block.one_of
    neither = Rule(rule=f"{first} || {second}", problem=choice.neither, remedy=choice.remedy)
    both = Rule(rule=f"!({first} && {second})", problem=choice.both, remedy=choice.BOTH_REMEDY)
    yield from (Placed(block=block, rule=rule) for rule in (neither, both))


RULES: Final = tuple(placed for block in _blocks() for placed in _exclusive(block))
