"""`Shards` on a crew of Ray actors: the same steps as in one process, on rows that any worker can map."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import ray
from ray.exceptions import ObjectLostError
from threadpoolctl import threadpool_limits

from afray.algorithms.clusters import Outcome, Setting
from afray.algorithms.gemm import Compute
from afray.algorithms.shards import F32, I64, Shard
from afray.runtime import footprint, probing, room
from afray.runtime.counting import count_clusters
from afray.runtime.crew import Crew, Task
from afray.runtime.features import FeatureFile
from afray.runtime.footprint import ThriftyHeap
from afray.runtime.probing import Choice
from afray.runtime.worker import WorkerContext

log = logging.getLogger(__name__)

INLINE_BYTES = 64 * 2**10
"""Larger arguments are put into the object store once instead of travelling with every task."""
REMAKES = 3
"""Times that results held on lost nodes are computed again before giving up."""


@dataclass(slots=True, eq=False)
class Held:
    """A result that stays in the object store, and how to make it again if its node is lost."""

    reference: Any
    recipe: Callable[[], Task]
    """The task, with what it needs as that lies in the store now."""
    needs: tuple[Held, ...] = ()
    """Held results that the task needs."""


class RayShards:
    """Rows of one pool, cut into one partition per worker."""

    def __init__(self, crew: Crew, features: FeatureFile) -> None:
        self._crew = crew
        self._features = features
        # In a list, so that Ray hands tasks the reference and each worker unpacks (and maps) the file once.
        self._source = [features.path, ray.put(features)]
        bounds = np.linspace(0, int(features.starts[-1]), len(crew) + 1).astype(np.int64)
        self._ranges = [(int(a), int(b)) for a, b in itertools.pairwise(bounds) if a < b]

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(stop - start for start, stop in self._ranges)

    @property
    def dim(self) -> int:
        return self._features.dim

    def take(self, rows: I64) -> F32:
        """Read by the workers: a driver that mapped the rows itself would hold, and prepare, the whole pool."""
        parts = np.searchsorted([start for start, _ in self._ranges], rows, side="right") - 1
        wanted = [np.flatnonzero(parts == part) for part in np.unique(parts)]
        tasks = [
            Task(name=f"rows of part {number}", function=_run_take, args=(self._source, _send(rows[places])))
            for number, places in enumerate(wanted)
        ]
        taken = np.empty((len(rows), self.dim), np.float32)
        for places, found in zip(wanted, self._crew.run(tasks), strict=True):
            taken[places] = found
        return taken

    def fit(self, centres: int) -> Compute:
        """Blocks that fit into the memory of the workers' machines. Raises Retryable where none do."""
        tasks = [Task(name="a look at memory", function=_run_room) for _ in range(len(self._crew))]
        found: dict[str, int] = dict(self._crew.run(tasks))
        per_machine = -(-len(self._crew) // len(found))
        return room.fit(min(found.values()), per_machine, centres, self.dim)

    def give_back(self) -> None:
        """Let workers return the memory that they keep for more of the same: what comes next is something else."""
        self._crew.run([Task(name="memory given back", function=_run_give_back) for _ in range(len(self._crew))])

    def choose_products(self, compute: Compute) -> Compute:
        """Let every worker try which matrix product is fastest on its machine; the answer leaves that to them.

        One line of the log says what they chose; a warning, that one of them could not tell.
        """
        probing.complain_of_forced_kernels(os.environ)
        tasks = [
            Task(name="trial of matrix products", function=_run_probe, args=(self._source, start))
            for start, _ in self._ranges
        ]
        choices: list[Choice] = self._crew.run(tasks)
        for warning in sorted({choice.warning for choice in choices} - {""})[:1]:
            log.warning("%s", warning)
        names = sorted({choice.name for choice in choices})
        log.info("matrix products: %s; thousand rows a second: %s", ", ".join(names), dict(choices[0].rates))
        return replace(compute, adapts=True)

    def map(self, step: Callable[..., Any], *args: Any) -> list[Any]:
        return self._crew.run(self._map_tasks(step, args))

    def hold(self, step: Callable[..., Any], *args: Any) -> list[Any]:
        tasks = self._map_tasks(step, args)
        references = self._crew.run(tasks, keep=True)
        return [Held(reference, partial(_as_it_was, task)) for reference, task in zip(references, tasks, strict=True)]

    def each(self, step: Callable[..., Any], tasks: Sequence[Any], *args: Any) -> list[Any]:
        return self._each(step, tasks, args, keep=False)

    def hold_each(self, step: Callable[..., Any], tasks: Sequence[Any], *args: Any) -> list[Any]:
        references = self._each(step, tasks, args, keep=True)
        needs = tuple(_held_in(args))
        return [
            Held(reference, partial(self._each_task, step, number, task, args), needs)
            for number, (task, reference) in enumerate(zip(tasks, references, strict=True))
        ]

    def _each(self, step: Callable[..., Any], tasks: Sequence[Any], args: tuple[Any, ...], *, keep: bool) -> list[Any]:
        is_lost = False
        for _ in range(REMAKES):
            try:
                if is_lost:  # and may be again, while it is made anew
                    self._remake(list(_held_in(args)))
                return self._run_each(step, tasks, args, keep=keep)
            except ObjectLostError:
                is_lost = True
        self._remake(list(_held_in(args)))
        return self._run_each(step, tasks, args, keep=keep)

    def _run_each(
        self, step: Callable[..., Any], tasks: Sequence[Any], args: tuple[Any, ...], *, keep: bool
    ) -> list[Any]:
        sent = tuple(_send(argument) for argument in args)
        made = [self._each_task(step, number, task, sent) for number, task in enumerate(tasks)]
        return self._crew.run(made, keep=keep, on_done=None if keep else self._count)

    def _each_task(self, step: Callable[..., Any], number: int, task: Any, args: tuple[Any, ...]) -> Task:
        sent = tuple(_send(argument) for argument in args)
        return Task(name=f"{step.__name__} {number}", function=_run_each, args=(self._source, step, task, *sent))

    def _count(self, _: int, result: Any) -> None:
        """Here, where every result comes by: a worker that is let go of takes with it what it has not yet told Ray."""
        if isinstance(result, Outcome):
            count_clusters(self._crew.meter, result)

    def _map_tasks(self, step: Callable[..., Any], args: tuple[Any, ...]) -> list[Task]:
        sent = [_send(argument) for argument in args]
        return [
            Task(name=f"{step.__name__} {number}", function=_run_map, args=(self._source, step, start, stop, *sent))
            for number, (start, stop) in enumerate(self._ranges)
        ]

    def _remake(self, held: list[Held]) -> None:
        """Make results anew, those first that others need."""
        if needed := list({id(one): one for handle in held for one in handle.needs}.values()):
            self._remake(needed)
        left = [handle for handle in held if handle not in needed]
        references = self._crew.run([handle.recipe() for handle in left], keep=True)
        for handle, reference in zip(left, references, strict=True):
            handle.reference = reference


def _as_it_was(task: Task) -> Task:
    return task


def _held_in(argument: Any) -> Iterator[Held]:
    if isinstance(argument, Held):
        yield argument
    elif isinstance(argument, list | tuple):
        for item in argument:
            yield from _held_in(item)


def _send(argument: Any) -> Any:
    """What travels in place of an argument: references for held results, one copy in the store for big arrays."""
    if isinstance(argument, np.ndarray) and argument.nbytes > INLINE_BYTES:
        return _Reference(ray.put(argument))
    if isinstance(argument, Held):
        return _Reference(argument.reference)
    if isinstance(argument, list):
        return [_send(item) for item in argument]
    return argument


def _receive(argument: Any) -> Any:
    if isinstance(argument, _Reference):
        return ray.get(argument.reference)
    if isinstance(argument, list):
        return [_receive(item) for item in argument]
    return argument


@dataclass(frozen=True, slots=True, eq=False)
class _Reference:
    """An object reference that Ray must not resolve on its own."""

    reference: Any


def _open(context: WorkerContext, source: list[Any]) -> FeatureFile:
    path, reference = source
    context.once(ThriftyHeap, ThriftyHeap).sweep()
    features: FeatureFile = context.once(path, lambda: ray.get(reference))
    return features


def _choose(context: WorkerContext, features: FeatureFile, start: int) -> Choice:
    """What this worker computes with, tried once on rows from `start` on."""

    def choose() -> Choice:
        stop = min(start + probing.ROWS + probing.CENTRES, int(features.starts[-1]))
        products = probing.products_here(has_gpu=bool(ray.get_gpu_ids()))
        return probing.probe(features.rows(min(start, stop - 1), stop), products)

    choice: Choice = context.once(Choice, choose)
    return choice


def _adapt(context: WorkerContext, features: FeatureFile, argument: Any) -> Any:
    if isinstance(argument, Setting):
        return replace(argument, compute=_adapt(context, features, argument.compute))
    if isinstance(argument, Compute) and argument.adapts:
        own = _choose(context, features, 0).compute
        return replace(own, certify=argument.certify, memory=argument.memory)
    return argument


def _run_probe(context: WorkerContext, source: list[Any], start: int) -> Choice:
    with threadpool_limits(context.threads):
        return _choose(context, _open(context, source), start)


def _run_map(
    context: WorkerContext, source: list[Any], step: Callable[..., Any], start: int, stop: int, *args: Any
) -> Any:
    features = _open(context, source)
    with threadpool_limits(context.threads):
        received = [_adapt(context, features, _receive(argument)) for argument in args]
        return step(Shard(start, features.rows(start, stop)), *received)


def _run_room(_: WorkerContext) -> tuple[str, int]:
    return ray.get_runtime_context().get_node_id(), room.available_bytes()


def _run_give_back(_: WorkerContext) -> None:
    footprint.give_back()


def _run_take(context: WorkerContext, source: list[Any], rows: Any) -> F32:
    return _open(context, source).take(_receive(rows))


def _run_each(context: WorkerContext, source: list[Any], step: Callable[..., Any], task: Any, *args: Any) -> Any:
    features = _open(context, source)
    with threadpool_limits(context.threads):
        return step(features, task, *(_adapt(context, features, _receive(argument)) for argument in args))
