"""Which rows the round before has embedded already: the same rows in the same order, and others only between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from afray.api.block import Block
from afray.driver.certifying import encoder_facts
from afray.driver.embedding import TakenOver, identify, part_names
from afray.driver.rounds.earlier import EarlierRound
from afray.driver.workspace import Workspace
from afray.errors import IntegrityError, SpecError
from afray.pool.index import build_index
from afray.pool.listing import open_pool
from afray.pool.manifest import PoolIndex
from afray.runtime.embedding import EmbedPlan, EncoderFacts
from afray.runtime.reusing import NEW, StoredVectors, match_all
from afray.storage.commits import committed
from afray.storage.reading import NoFence

I64 = NDArray[np.int64]
SPEED_ONLY = frozenset({"shard_size", "device"})
"""Fields of spec.embedding that change no vector."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EarlierVectors:
    """What the round before has embedded."""

    round: EarlierRound
    index: PoolIndex
    stored: StoredVectors

    def take_over(self, workspace: Workspace, plan: EmbedPlan) -> TakenOver:
        """All rows of the round before. Raises SpecError for a pool that did more than grow."""
        matches = tuple(self.match(plan.index))
        return TakenOver(identify=lambda: self.identify(workspace, plan), stored=self.stored, matches=matches)

    def identify(self, workspace: Workspace, plan: EmbedPlan) -> EncoderFacts:
        """The encoder of this round, which must be that of the round before.

        It is loaded only where a new row needs it, or where the two specs differ and it may still be the same.
        Raises SpecError with both fingerprints.
        """
        known = encoder_facts(self.round.certificate)
        is_alike = self._is_alike(workspace)
        if is_alike and plan.index.digest == self.index.digest:
            return known
        before = identify(workspace, replace(plan, index=self.index))
        if before.fingerprint != known.fingerprint:
            problem = (
                f"model, decode rules, precision or library are not those of the round before: its vectors have the "
                f"fingerprint {known.fingerprint}, this spec gives {before.fingerprint}"
            )
            raise SpecError("spec.embedding", before.name, problem, "Take both from that round, or start a new chain.")
        return identify(workspace, plan)

    def _is_alike(self, workspace: Workspace) -> bool:
        now, then = workspace.job.spec, self.round.job.spec
        return _fields(now.embedding) == _fields(then.embedding) and now.pool.decode == then.pool.decode

    def match(self, index: PoolIndex) -> Iterator[I64]:
        """Of each part of this round's index, the pool ids of its rows in the round before; NEW for new ones.

        Raises SpecError if a row of the round before is gone or another one by now.
        """
        if index.digest == self.index.digest:
            yield from match_all(index.rows, index.shard_size)
            return
        earlier = _all_rows(self.index)
        awaited = next(earlier, None)
        position = 0
        for number in range(index.shard_count):
            rows = _read(index, number)
            found = np.full(len(rows), NEW, np.int64)
            for place, row in enumerate(rows):
                if row == awaited:
                    found[place] = position
                    awaited, position = next(earlier, None), position + 1
            yield found
        if awaited is not None:
            problem = (
                f"row {awaited[0]!r} of the round before is gone, or another by now: its index has the digest "
                f"{self.index.digest}, this one {index.digest}"
            )
            remedy = "Restore the pool (it may only have grown), or start a new chain without spec.previous."
            raise SpecError("spec.pool.uri", awaited[0], problem, remedy)


def open_vectors(earlier: EarlierRound) -> EarlierVectors:
    """What a round has embedded. Raises IntegrityError if a part of it is gone."""
    pool, embedding = earlier.job.spec.pool, earlier.job.spec.embedding
    index = build_index(pool, open_pool(pool), earlier.output, embedding.shard_size, fence=NoFence())
    names = part_names(encoder_facts(earlier.certificate), index, rejects_zero_vectors=embedding.normalize == "l2")
    parts = [committed(earlier.output, name) for name in names]
    if None in parts:
        gone = earlier.output.address(names[parts.index(None)])
        raise IntegrityError(
            f"{gone}: these vectors of the round before are gone. Restore them, or run that round again"
        )
    stored = StoredVectors(
        output=earlier.output, parts=tuple(part for part in parts if part), shard_size=index.shard_size
    )
    return EarlierVectors(round=earlier, index=index, stored=stored)


def _fields(block: Block) -> dict[str, object]:
    return block.model_dump(exclude=set(SPEED_ONLY))


def _all_rows(index: PoolIndex) -> Iterator[tuple[object, ...]]:
    for number in range(index.shard_count):
        yield from _read(index, number)


def _read(index: PoolIndex, number: int) -> list[tuple[object, ...]]:
    """Everything that the index says of the rows of a part, but for their pool ids; the row's id comes first."""
    part = index.read_part(number).drop_columns(["pool_id"])
    return list(zip(*(column.to_pylist() for column in part.columns), strict=True))
