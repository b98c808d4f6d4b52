"""Prepared rows of an embedded pool: normalised by the statistics of its own rows, or by another pool's."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from afray.driver.embedding import EmbeddedPool
from afray.driver.workspace import Workspace
from afray.embedding.normalization import Normalizer, Partial, merge_all
from afray.reporting.digests import content_digest
from afray.runtime.crew import Task
from afray.runtime.features import FeatureFile
from afray.runtime.shards import RayShards
from afray.runtime.vectors import VectorShard, read_kept
from afray.runtime.worker import WorkerContext


class PreparedPool:
    """Everything is made on first use: a run that resumes behind the selection may need none of it."""

    def __init__(self, workspace: Workspace, pool: EmbeddedPool, *, like: PreparedPool | None = None) -> None:
        """`like`: the pool whose statistics apply, for a held-out set."""
        self._workspace, self.pool, self._like = workspace, pool, like

    @cached_property
    def normalizer(self) -> Normalizer:
        """What is done to every row."""
        if self._like is not None:
            return self._like.normalizer
        kind = self._workspace.job.spec.embedding.normalize
        tasks = [
            Task(name=f"statistics of part {number}", function=measure_part, args=(shard,))
            for number, shard in enumerate(self.pool.shards)
        ]
        return Normalizer.fit(kind, merge_all(self._workspace.crew.run(tasks)))

    @cached_property
    def features(self) -> FeatureFile:
        """The rows as one memory-mapped file per node; workers write and map it, shard by shard as they need them."""
        content = f"{self.pool.encoder.fingerprint} {self.normalizer.digest}"
        return FeatureFile(
            path=str(Path(self._workspace.scratch) / content_digest(content.encode())[:16]),
            dim=self.pool.dim,
            shards=tuple(self.pool.shards),
            normalizer=self.normalizer,
        )

    @cached_property
    def shards(self) -> RayShards:
        """The rows as algorithms see them."""
        return RayShards(self._workspace.crew, self.features)


def measure_part(_: WorkerContext, shard: VectorShard) -> Partial:
    """Task: exact statistics of a part's kept rows."""
    return Partial.of(read_kept(shard))
