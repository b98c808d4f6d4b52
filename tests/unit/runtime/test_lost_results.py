"""Results that lay on a lost machine are made again, also where another is lost meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ray.exceptions import ObjectLostError

from afray.runtime.crew import Task
from afray.runtime.shards import REMAKES, Held, RayShards


class LosingShards(RayShards):
    """Its machines are lost at the given turns, of which every try and every remake is one."""

    def __init__(self, losses: Sequence[int]) -> None:
        self.losses, self.turns = losses, 0
        self.remade: list[list[Held]] = []

    def _turn(self) -> None:
        self.turns += 1
        if self.turns in self.losses:
            raise ObjectLostError("00" * 28, None, "")

    def _run_each(self, step: Any, tasks: Sequence[Any], args: tuple[Any, ...], *, keep: bool) -> list[Any]:
        self._turn()
        return list(tasks)

    def _remake(self, held: list[Held]) -> None:
        self._turn()
        self.remade.append(held)


def nothing() -> None:
    """A step."""


def a_task() -> Task:
    return Task(name="again", function=nothing)


@pytest.mark.parametrize("losses", [[], [1], [1, 2], [1, 2, 3], [1, 3, 5]])
def test_what_is_lost_is_made_again_and_again(losses: list[int]) -> None:
    held = Held(None, a_task)
    shards = LosingShards(losses)
    assert shards.each(nothing, [7], [held]) == [7]
    assert all(made == [held] for made in shards.remade)
    assert bool(shards.remade) == bool(losses)


def test_machines_that_are_lost_without_end_end_the_step() -> None:
    shards = LosingShards(range(1, 100))
    with pytest.raises(ObjectLostError):
        shards.each(nothing, [7], [Held(None, a_task)])
    assert shards.turns == REMAKES + 1
