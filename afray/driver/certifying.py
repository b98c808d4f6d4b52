"""The certificate: what a selection depended on, written once, after everything that it names."""

from __future__ import annotations

import json
import platform
from importlib import metadata

import pyarrow.compute as pc

from afray import __version__
from afray.algorithms.selection import Selection
from afray.api.job import SelectionJob
from afray.api.loading import load_object
from afray.api.selection import SelectionSpec
from afray.driver.embedding import GIVEN, EmbeddedPool
from afray.driver.given_cores import given_digest
from afray.driver.outputs import Outcome, output_files
from afray.driver.publishing import FILES, publish
from afray.driver.rounds import answers, learning
from afray.driver.workspace import Workspace
from afray.reporting import certificate as certificates
from afray.reporting.certificate import (
    ApproximationFacts,
    Certificate,
    CodeFacts,
    DecodeFacts,
    EmbeddedShard,
    EmbeddingFacts,
    IndexFacts,
    ModelFacts,
    PreviousFacts,
)
from afray.reporting.digests import content_digest, selection_digest
from afray.reporting.facts import Funnel
from afray.reporting.handover import handover_files
from afray.runtime.embedding import EncoderFacts
from afray.runtime.vectors import VECTORS
from afray.storage.commits import Commit, commit, committed, read_blob
from afray.storage.ownership import SELECTION
from afray.storage.store import ObjectMissing, Store

JOB = "job.json"
"""The job as it ran, with full locations: what `afray verify` repeats."""
LIBRARIES = ("numpy", "numba", "pillow", "pyarrow", "ray", "scikit-learn", "scipy", "timm", "torch", "torchvision")
"""Everything that can change a vector, an id or a figure."""


def read_certificate(output: Store) -> Certificate | None:
    """The certificate as it is published, None if the selection is not finished. Raises IntegrityError if edited."""
    try:
        return certificates.read(output.read(certificates.NAME))
    except ObjectMissing:
        return None


def find_certificate(output: Store) -> Certificate | None:
    """The certificate as it was committed, None if the selection is not finished."""
    stored = committed(output, FILES)
    return certificates.read(read_blob(output, stored.blobs[certificates.NAME])) if stored else None


def read_job(output: Store) -> SelectionJob:
    """The job as it ran, with full locations."""
    return parse_job(output.read(JOB), output)


def parse_job(content: bytes, output: Store) -> SelectionJob:
    """The job in a file of an output."""
    return load_object(json.loads(content), output.address(JOB))


def encoder_facts(certificate: Certificate) -> EncoderFacts:
    """The encoder as the certificate tells it."""
    embedding, model = certificate.embedding, certificate.model
    return EncoderFacts(
        name=model.name if model else GIVEN,
        sha256=model.sha256 if model else embedding.fingerprint,
        precision=embedding.precision,
        fingerprint=embedding.fingerprint,
    )


def certify(workspace: Workspace, pool: EmbeddedPool, outcome: Outcome) -> Certificate:
    """Commit the output tables and the certificate that names them, and publish all of it, the certificate last."""
    job = (json.dumps(workspace.job.to_manifest(), indent=2, ensure_ascii=False) + "\n").encode()
    files = {**output_files(outcome), **hand_over(workspace.job.metadata.name, pool, outcome), JOB: job}
    outputs = {name: content_digest(content) for name, content in files.items()}
    certificate = build_certificate(workspace, pool, outcome, outputs)
    files[certificates.NAME] = certificates.write(certificate)
    commit(workspace.output, FILES, files, {}, fence=workspace.fence)
    publish(workspace.output, files, fence=workspace.fence)
    return certificate


def hand_over(job: str, pool: EmbeddedPool, outcome: Outcome) -> dict[str, bytes]:
    """The files for those who label, by name."""
    places = pool.addresses(pool.rows.pool_ids(outcome.selection.rows))
    is_object = pc.and_(pc.is_null(places["row_group"]), pc.is_null(places["offset"])).to_numpy()
    return handover_files(outcome.tables.selection, is_object, f"{job}#{name_digest(outcome)}")


def name_digest(outcome: Outcome) -> str:
    """selectionDigest."""
    chosen = outcome.tables.selection
    return selection_digest(chosen["id"].to_pylist(), chosen["kind"].to_pylist())


def build_certificate(
    workspace: Workspace, pool: EmbeddedPool, outcome: Outcome, outputs: dict[str, str]
) -> Certificate:
    """Everything the selection depended on, by digest."""
    selection = committed(workspace.output, SELECTION)
    return Certificate(
        spec_digest=workspace.spec_digest,
        index=IndexFacts(digest=pool.index.digest, rows=pool.index.rows, shards=pool.index.shard_count),
        embedding=embedding_facts(workspace, pool),
        model=ModelFacts(name=pool.encoder.name, sha256=pool.encoder.sha256) if pool.has_model else None,
        decode=decode_facts(workspace) if pool.has_model else None,
        code=code_facts(),
        seed=workspace.job.spec.selection.seed,
        given_cores=given_digest(selection) if selection else None,
        counters=count_funnel(pool, outcome),
        outputs=outputs,
        selection_digest=name_digest(outcome),
        previous=previous_facts(workspace.output, selection) if selection else None,
        approximations=approximation_facts(workspace.job.spec.selection, outcome.selection),
    )


def previous_facts(output: Store, selection: Commit) -> PreviousFacts | None:
    """The rounds that a committed selection goes on from, None for a first round."""
    kept, model = selection.blobs.get(answers.ROLE), selection.blobs.get(learning.ROLE)
    if kept is None:
        return None
    known = answers.read(read_blob(output, kept))
    return PreviousFacts(
        certificate=known.rounds[-1].certificate,
        labels=known.rounds[-1].file,
        answered=len(known.ids),
        answers=kept.sha256,
        model=model.sha256 if model else None,
    )


def approximation_facts(spec: SelectionSpec, selection: Selection) -> ApproximationFacts | None:
    """What was approximated, and its error as the selection measured it; None if nothing was."""
    probes, intra = spec.core.probes, spec.boundary.intra_distance
    if probes is None and intra is None:
        return None
    return ApproximationFacts(
        probes=probes,
        recall=selection.recall if probes is not None else None,
        intra_distance=intra,
        changed_picks=selection.changed_picks if intra is not None else None,
    )


def embedding_facts(workspace: Workspace, pool: EmbeddedPool) -> EmbeddingFacts:
    """The vectors, shard by shard."""
    shards = tuple(
        EmbeddedShard(
            shard=number,
            rows=int(str(part.facts["rows"])),
            digest=part.blobs[VECTORS].sha256,
            device=str(part.facts["device"]),
        )
        for number, part in enumerate(pool.parts)
    )
    return EmbeddingFacts(
        fingerprint=pool.encoder.fingerprint,
        precision=pool.encoder.precision,
        normalization=workspace.job.spec.embedding.normalize,
        devices=tuple(sorted({shard.device for shard in shards})),
        shards=shards,
    )


def decode_facts(workspace: Workspace) -> DecodeFacts:
    """The rules that turned stored bytes into pixels."""
    decode = workspace.job.spec.pool.decode
    return DecodeFacts(
        image_size=workspace.job.spec.embedding.image_size,
        pixel_range=decode.pixel_range or "dtype",
        background=decode.background,
        max_pixels=decode.max_pixels,
    )


def code_facts() -> CodeFacts:
    """The programs that run here."""
    libraries = {name: metadata.version(name) for name in LIBRARIES}
    return CodeFacts(afray=__version__, python=platform.python_version(), libraries=libraries)


def count_funnel(pool: EmbeddedPool, outcome: Outcome) -> Funnel:
    """Rows left after each step."""
    rows = pool.rows
    return Funnel(
        listed=rows.listed,
        readable=rows.readable,
        unique=rows.unique,
        kept=outcome.selection.kept,
        selected=len(outcome.selection.rows),
    )
