"""The first two stages, for the pool and for the held-out set alike: index the rows, then embed them part by part."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from afray.api.pool import DecodeSpec, EvaluationSpec, PoolSpec
from afray.api.selection import SelectionSpec
from afray.driver.budgeting import check_budget
from afray.driver.kept import KeptRows, settle
from afray.driver.workspace import Workspace
from afray.pool.index import build_index
from afray.pool.labels import check_known
from afray.pool.listing import open_pool
from afray.pool.manifest import PoolIndex
from afray.runtime.crew import Task
from afray.runtime.embedding import EmbedPlan, EncoderFacts, describe_encoder, embed_part, read_rows
from afray.runtime.reusing import NEW, StoredVectors, take_over_part
from afray.runtime.vectors import VECTORS, VectorShard
from afray.storage.commits import Commit, committed
from afray.storage.store import Store

I64 = NDArray[np.int64]
GIVEN = "given"
"""Name of the encoder of a pool that holds embeddings."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TakenOver:
    """What is known of a pool before any of it is embedded here."""

    identify: Callable[[], EncoderFacts]
    """Says what the encoder is; may have a worker load it, so nothing that is wrong otherwise gets so far."""
    stored: StoredVectors | None = None
    """Vectors of an earlier round."""
    matches: Sequence[I64] = ()
    """Per part of the index, the rows' pool ids in that round; NEW for new ones."""


class Earlier(Protocol):
    """Whoever knows the vectors of a pool, or what its encoder is, from before."""

    def take_over(self, workspace: Workspace, plan: EmbedPlan) -> TakenOver:
        """What of it is good for `plan`. Raises SpecError for another pool where it must be the same."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddedPool:
    """A pool whose every part is committed."""

    plan: EmbedPlan
    output: Store
    encoder: EncoderFacts
    parts: tuple[Commit, ...]
    rows: KeptRows

    @property
    def index(self) -> PoolIndex:
        """Every row's id and place."""
        return self.plan.index

    @property
    def source(self) -> Store:
        """Where the rows are read."""
        return self.plan.source

    @property
    def has_model(self) -> bool:
        """False for pools that hold embeddings themselves."""
        return self.encoder.name != GIVEN

    @property
    def dim(self) -> int:
        """D."""
        return int(str(self.parts[0].facts["dim"]))

    @property
    def shards(self) -> list[VectorShard]:
        """The stored vectors of the rows that take part."""
        return [
            VectorShard(store=self.output, blob=part.blobs[VECTORS], kept=kept)
            for part, kept in zip(self.parts, self.rows.positions, strict=True)
        ]

    def addresses(self, pool_ids: I64) -> pa.Table:
        """Rows of the index (ROW_SCHEMA), in the order asked for."""
        return _in_order(pool_ids, self.index.shard_size, self.index.read_part)

    def find(self, ids: list[str], *, through_copies: bool = False) -> I64:
        """Row numbers of ids, in the order asked for; -1 for those that are unknown or do not take part.

        `through_copies`: of copies, those of the rows that stand for them.
        """
        places = dict.fromkeys(ids, -1)
        for number in range(self.index.shard_count):
            part = self.index.read_part(number)
            hit = pc.is_in(part["id"], pa.array(ids, pa.string()))
            here = part.filter(hit)
            places.update(zip(here["id"].to_pylist(), here["pool_id"].to_pylist(), strict=True))
        pool_ids = np.array([places[row_id] for row_id in ids], np.int64)
        if through_copies:
            pool_ids = self.rows.originals(pool_ids)
        return np.where(pool_ids < 0, -1, self.rows.row_numbers(np.maximum(pool_ids, 0)))

    def describe(self, pool_ids: I64) -> tuple[pa.Array, pa.Array, pa.Array]:
        """Ids, addresses and sha256 of rows, in the order asked for."""
        places = self.addresses(pool_ids)
        facts = _in_order(pool_ids, self.index.shard_size, lambda number: read_rows(self.output, self.parts[number]))
        uris = pa.array([self.source.address(key) for key in places["key"].to_pylist()], pa.string())
        return places["id"].combine_chunks(), uris, facts["sha256"].combine_chunks()


def _in_order(pool_ids: I64, shard_size: int, read: Callable[[int], pa.Table]) -> pa.Table:
    """Rows of a table that is stored in parts, one part in memory at a time."""
    order = np.argsort(pool_ids, kind="stable")
    numbers = pool_ids[order] // shard_size
    pieces = [
        read(int(number)).take(pa.array(pool_ids[order[numbers == number]] - number * shard_size))
        for number in np.unique(numbers)
    ]
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return pa.concat_tables(pieces or [read(0).slice(0, 0)]).take(pa.array(back))


def embed_pool(
    workspace: Workspace,
    pool: PoolSpec | EvaluationSpec,
    decode: DecodeSpec,
    *,
    title: str,
    labels: Mapping[str, str] | None = None,
    selection: SelectionSpec | None = None,
    known: EncoderFacts | None = None,
    earlier: Earlier | None = None,
    answered: int = 0,
) -> EmbeddedPool:
    """Index and embed a pool, as far as an earlier run has not done it.

    `labels` and what `selection` asks for are checked against the index before anything expensive starts. `known`
    spares loading the encoder when a finished run says what it was; rows of `earlier` are not embedded again, and
    `answered` ones are none that could be selected.
    Raises SpecError for a selection that needs more rows, PoolError for a pool that is empty or broken as a whole,
    StorageError, Retryable and Fenced.
    """
    source = open_pool(pool)
    index = index_pool(workspace, pool, source, title)
    if labels is not None:
        _require_known(labels, index, pool)
    plan = EmbedPlan(
        pool=pool,
        decode=decode,
        embedding=workspace.job.spec.embedding,
        index=index,
        source=source,
        expects_gpu=workspace.has_gpus,
        title=title,
    )
    found = (
        earlier.take_over(workspace, plan)
        if earlier
        else TakenOver(identify=lambda: known or identify(workspace, plan))
    )
    if selection is not None:
        check_budget(selection, index.rows, answered=answered)
    encoder = found.identify()
    parts = embed_parts(workspace, plan, encoder, found)
    tables = (read_rows(workspace.output, part) for part in parts)  # one at a time in memory
    rows = settle(tables, collapse_copies=not plan.has_vectors)
    return EmbeddedPool(plan=plan, output=workspace.output, encoder=encoder, parts=tuple(parts), rows=rows)


def index_pool(workspace: Workspace, pool: PoolSpec | EvaluationSpec, source: Store, title: str) -> PoolIndex:
    """The pool's rows, listed now or found listed."""
    with workspace.stages.stage(f"index {title}") as (bar, record):

        def show(done: int, total: int) -> None:
            record.resumed = False
            bar.update(done, total or None)

        record.resumed = True  # unless there is something to show
        index = build_index(
            pool,
            source,
            workspace.output,
            workspace.job.spec.embedding.shard_size,
            fence=workspace.fence,
            progress=show,
        )
        bar.update(index.rows, index.rows)
        record.rows = index.rows
    return index


def identify(workspace: Workspace, plan: EmbedPlan) -> EncoderFacts:
    """What the encoder is, by the word of a worker that loaded it."""
    if plan.has_vectors:
        digest = hashlib.sha256(f"given {plan.index.digest}".encode()).hexdigest()
        return EncoderFacts(name=GIVEN, sha256=digest, precision="float32", fingerprint=digest)
    task = Task(name="load the encoder", function=describe_encoder, args=(plan,), needs_gpu=plan.expects_gpu)
    facts: EncoderFacts = workspace.crew.run([task])[0]
    return facts


def part_names(facts: EncoderFacts, index: PoolIndex, *, rejects_zero_vectors: bool) -> list[str]:
    """Names of the commits that hold the parts of an index, embedded."""
    # The same vectors are kept twice where one spec puts zero vectors into quarantine and another takes them.
    folder = f"embeddings/{facts.fingerprint[:32]}" + ("-without-zeros" if rejects_zero_vectors else "")
    return [f"{folder}/{number:05d}" for number in range(index.shard_count)]


def embed_parts(workspace: Workspace, plan: EmbedPlan, encoder: EncoderFacts, found: TakenOver) -> list[Commit]:
    """Every part's commit. Finished parts are not touched; stored rows are taken over as `found` matches them."""
    output = workspace.output
    names = part_names(encoder, plan.index, rejects_zero_vectors=plan.rejects_zero_vectors)
    parts = [committed(output, name) for name in names]
    missing = [number for number, part in enumerate(parts) if part is None]
    done = sum(_row_count(part) for part in parts if part is not None)
    with workspace.stages.stage(plan.stage, total=plan.index.rows, found=done) as (bar, record):
        record.resumed = not missing

        def finish(task: int, part: Commit) -> None:
            nonlocal done
            parts[missing[task]] = part
            done += _row_count(part)
            bar.update(done)

        tasks = _embed_tasks(workspace, plan, {number: names[number] for number in missing}, found)
        if tasks:
            workspace.crew.run(tasks, on_done=finish, on_rows=lambda rows: bar.update(done + rows))
    return [part for part in parts if part is not None]


def _embed_tasks(workspace: Workspace, plan: EmbedPlan, missing: Mapping[int, str], found: TakenOver) -> list[Task]:
    """One task per part that is missing, by number and name."""
    fence = workspace.fence
    tasks = []
    for number, name in missing.items():
        args: tuple[object, ...] = (plan, number, name, workspace.output, fence)
        function: Callable[..., Commit] = embed_part
        computes = not plan.has_vectors
        if found.stored:
            function, args = take_over_part, (*args, found.stored, found.matches[number])
            computes = computes and bool((found.matches[number] == NEW).any())
        task = Task(
            name=f"part {number} of the {plan.title}",
            function=function,
            args=args,
            is_leased=True,
            needs_gpu=plan.expects_gpu and computes,
        )
        tasks.append(task)
    return tasks


def _require_known(labels: Mapping[str, str], index: PoolIndex, pool: PoolSpec | EvaluationSpec) -> None:
    field = "spec.pool.labels" if isinstance(pool, PoolSpec) else "spec.evaluation.labels"
    check_known(labels, _all_ids(index), field=field)


def _all_ids(index: PoolIndex) -> Iterator[str]:
    for number in range(index.shard_count):
        yield from index.read_part(number)["id"].to_pylist()


def _row_count(part: Commit) -> int:
    return int(str(part.facts["rows"]))
