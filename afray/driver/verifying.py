"""Checking a finished run against its certificate: files, index, stored vectors, and the selection once more.

Nothing is written to the output, and nobody has to own it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np

from afray.algorithms import draws
from afray.api.job import SelectionJob
from afray.api.loading import load_object
from afray.driver.certifying import JOB, encoder_facts, read_certificate
from afray.driver.embedding import EmbeddedPool, embed_pool
from afray.driver.features import PreparedPool
from afray.driver.outputs import name_selection
from afray.driver.progress import Display, Stages
from afray.driver.selecting import compute
from afray.driver.stored_selection import load_given_cores
from afray.driver.workspace import RunSettings, Workspace
from afray.errors import PoolError
from afray.pool.parts import FIRST_LINK, extend_digest
from afray.reporting.certificate import NAME, Certificate
from afray.reporting.digests import content_digest, selection_digest
from afray.reporting.verify import Check, RecomputedFacts, checks, row_check
from afray.runtime.crew import Task
from afray.runtime.embedding import embed_batch
from afray.runtime.vectors import VECTORS, read_vectors
from afray.storage.commits import committed
from afray.storage.ownership import SELECTION
from afray.storage.reading import ReadOnlyStore
from afray.storage.store import ObjectMissing, Store

ALL_ROWS = -1
"""Embed every row again."""


@dataclass(frozen=True, slots=True)
class NoFence:
    """A reader owns nothing, and commits nothing."""

    epoch: int = 0

    def check(self) -> None:
        """Never in the way."""


def verify(uri: str, settings: RunSettings, display: Display, *, embed: int = 0) -> Iterator[Check]:
    """Every check in order, lazily; `embed` rows (drawn by the spec's seed, or ALL_ROWS) are embedded again.

    Raises PoolError if nothing is certified there, IntegrityError for damage that no digest can describe.
    """
    output = ReadOnlyStore.at(uri)
    certificate = read_certificate(output)
    if certificate is None:
        raise PoolError(f"{output.address(NAME)}: there is no finished selection here. Run `afray run` first")
    yield from checks(certificate, RecomputedFacts(outputs=digest_outputs(output, certificate)))
    job = read_job(output)
    with reading(job, settings, output, display) as workspace:
        spec = job.spec
        pool = embed_pool(workspace, spec.pool, spec.pool.decode, title="pool", known=encoder_facts(certificate))
        yield from checks(certificate, recompute(workspace, pool, embed))


def digest_outputs(output: Store, certificate: Certificate) -> dict[str, str]:
    """sha256 of every certified file that is there."""
    found = {}
    for name in certificate.outputs:
        try:
            found[name] = content_digest(output.read(name))
        except ObjectMissing:
            continue
    return found


def read_job(output: Store) -> SelectionJob:
    """The job as it ran, with full locations."""
    return load_object(json.loads(output.read(JOB)), output.address(JOB))


@contextmanager
def reading(job: SelectionJob, settings: RunSettings, output: Store, display: Display) -> Iterator[Workspace]:
    """The surroundings of a run that writes nothing."""
    with ExitStack() as exits:
        yield Workspace(job, settings, output, NoFence(), Stages(display), exits)


def recompute(workspace: Workspace, pool: EmbeddedPool, embed: int) -> RecomputedFacts:
    """Facts behind the files, each made when it is asked for."""
    return RecomputedFacts(
        index=digest_index(pool),
        fingerprint=pool.encoder.fingerprint,
        shards=digest_shards(pool),
        rows=embed_again(workspace, pool, embed) if embed and pool.has_model else (),
        selection=select_again(workspace, pool),
    )


def digest_index(pool: EmbeddedPool) -> str:
    """The index digest, from the stored rows."""
    digest = FIRST_LINK
    for number in range(pool.index.shard_count):
        digest = extend_digest(digest, pool.index.read_part(number).drop_columns(["pool_id"]))
    return digest


def digest_shards(pool: EmbeddedPool) -> Iterator[tuple[int, str | None]]:
    """sha256 of each shard's stored vectors as they are now; None if they are gone."""
    for number, part in enumerate(pool.parts):
        try:
            yield number, content_digest(pool.output.read(part.blobs[VECTORS].key))
        except ObjectMissing:
            yield number, None


def select_again(workspace: Workspace, pool: EmbeddedPool) -> Iterator[str]:
    """selectionDigest, computed from the stored vectors and the kept file of given cores."""
    stored = committed(workspace.output, SELECTION)
    given = load_given_cores(workspace.output, stored) if stored else None
    with workspace.stages.stage("select", unit="steps") as (bar, _):
        outcome = name_selection(pool, compute(workspace, PreparedPool(workspace, pool), bar, given))
    chosen = outcome.tables.selection
    yield selection_digest(chosen["id"].to_pylist(), chosen["kind"].to_pylist())


def embed_again(workspace: Workspace, pool: EmbeddedPool, count: int) -> Iterator[Check]:
    """Each of `count` drawn rows (or all) beside its stored vector. A batch is embedded whole: it is what is exact."""
    total, size = pool.index.rows, pool.plan.embedding.batch_size
    drawn = (
        np.arange(total)
        if count == ALL_ROWS
        else draws.draw(total, min(count, total), workspace.job.spec.selection.seed, "verify")
    )
    numbers, positions = np.divmod(drawn, pool.index.shard_size)
    places = np.unique(np.stack([numbers, positions // size]), axis=1).T.tolist()
    tasks = [
        Task(
            name=f"batch {batch} of part {number}",
            function=embed_batch,
            args=(pool.plan, number, batch),
            needs_gpu=pool.plan.expects_gpu,
        )
        for number, batch in places
    ]
    for (number, batch), vectors in zip(places, workspace.crew.run(tasks), strict=True):
        stored = read_vectors(pool.output, pool.parts[number].blobs[VECTORS])
        ids = pool.index.read_part(number)["id"]
        for position in positions[(numbers == number) & (positions // size == batch)].tolist():
            yield row_check(
                ids[position].as_py(),
                stored=content_digest(stored[position].tobytes()),
                embedded=content_digest(vectors[position - batch * size].tobytes()),
            )
