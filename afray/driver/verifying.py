"""Checking a finished run against its certificate: files, commits, rounds before it, index, stored vectors, selection.

Nothing is written to the output, and nobody has to own it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np

from afray.algorithms import draws
from afray.api.job import SelectionJob
from afray.contract.outputs import FINETUNE_FOLDER
from afray.driver.certifying import build_certificate, encoder_facts, read_certificate, read_job
from afray.driver.embedding import EmbeddedPool, embed_pool
from afray.driver.features import PreparedPool
from afray.driver.outputs import name_selection
from afray.driver.progress import Display
from afray.driver.publishing import (
    FILES,
    HTML,
    REPORTS,
    digest_outputs,
    find_commits,
    find_report,
    published_digest,
)
from afray.driver.rounds.chain import check_chain
from afray.driver.selecting import compute
from afray.driver.stages import Stages
from afray.driver.stored_selection import load_inputs
from afray.driver.workspace import RunSettings, Workspace
from afray.errors import PoolError
from afray.pool.parts import FIRST_LINK, extend_digest
from afray.reporting import report as reports
from afray.reporting.certificate import NAME, Certificate
from afray.reporting.digests import content_digest
from afray.reporting.verify import ABSENT, Check, RecomputedFacts, checks, row_check
from afray.runtime.crew import Task
from afray.runtime.embedding import embed_batch
from afray.runtime.vectors import VECTORS, read_vectors
from afray.storage.commits import SUFFIX, committed
from afray.storage.ownership import SELECTION
from afray.storage.reading import NoFence, ReadOnlyStore
from afray.storage.store import ObjectMissing, Store

COMMITTED = ("selection", FINETUNE_FOLDER, REPORTS)
PRESENT = "present"
ALL_ROWS = -1
"""Embed every row again."""


def verify(uri: str, settings: RunSettings, display: Display, *, embed: int = 0) -> Iterator[Check]:
    """Every check in order, lazily; `embed` rows (drawn by the spec's seed, or ALL_ROWS) are embedded again.

    Raises PoolError if nothing is certified there, IntegrityError for damage that no digest can describe.
    """
    output = ReadOnlyStore.at(uri)
    certificate = read_certificate(output)
    if certificate is None:
        raise PoolError(f"{output.address(NAME)}: there is no finished selection here. Run `afray run` first")
    yield from checks(certificate, RecomputedFacts(outputs=digest_outputs(output, certificate)))
    yield from check_published(output)
    yield from check_commits(output)
    job = read_job(output)
    yield from check_chain(job, certificate)
    with reading(job, settings, output, display) as workspace:
        spec = job.spec
        pool = embed_pool(workspace, spec.pool, spec.pool.decode, title="pool", known=encoder_facts(certificate))
        yield from checks(certificate, recompute(workspace, pool, certificate, embed))


def check_published(output: Store) -> Iterator[Check]:
    """The certificate and the report beside what was committed: no other file names their digests."""
    for stored, names in ((committed(output, FILES), [NAME]), (find_report(output), [reports.NAME, HTML])):
        for name in names if stored else ():
            assert stored is not None
            found = published_digest(output, name) or ABSENT
            yield Check(what=name, certified=stored.blobs[name].sha256, found=found)


def check_commits(output: Store) -> Iterator[Check]:
    """The committed bytes of selection, finetunes and reports; index and embeddings are read and checked later."""
    for name in (SELECTION, FILES):
        found = ABSENT if output.head(name + SUFFIX) is None else PRESENT
        yield Check(what=name + SUFFIX, certified=PRESENT, found=found)
    for folder in COMMITTED:
        for stored in find_commits(output, folder):
            for blob in stored.blobs.values():
                found = published_digest(output, blob.key) or ABSENT
                yield Check(what=blob.key, certified=blob.sha256, found=found)


@contextmanager
def reading(job: SelectionJob, settings: RunSettings, output: Store, display: Display) -> Iterator[Workspace]:
    """The surroundings of a run that writes nothing."""
    with ExitStack() as exits:
        yield Workspace(job, settings, output, NoFence(), Stages(display), exits)


def recompute(workspace: Workspace, pool: EmbeddedPool, certificate: Certificate, embed: int) -> RecomputedFacts:
    """Facts behind the files, each made when it is asked for."""
    return RecomputedFacts(
        index=digest_index(pool),
        fingerprint=pool.encoder.fingerprint,
        shards=digest_shards(pool),
        rows=embed_again(workspace, pool, embed) if embed and pool.has_model else (),
        remade=certify_again(workspace, pool, certificate),
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


def certify_again(workspace: Workspace, pool: EmbeddedPool, certificate: Certificate) -> Iterator[Certificate]:
    """The certificate of the selection that stored vectors and the files kept with it give."""
    stored = committed(workspace.output, SELECTION)
    inputs = load_inputs(workspace.output, stored) if stored else {}
    with workspace.stages.stage("select", unit="steps") as (bar, _):
        outcome = name_selection(pool, compute(workspace, PreparedPool(workspace, pool), bar, inputs))
    yield build_certificate(workspace, pool, outcome, certificate.outputs)


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
