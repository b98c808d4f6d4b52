"""Held-out rows are embedded once: a note beside their vectors says by which encoder, so that none is loaded again.

    heldout/<digest of the pool's fingerprint and the held-out index>    the encoder, and the parts that it embedded

A round finds the note of the round before, and takes the vectors over, as it does with those of the pool.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import BaseModel, ConfigDict

from afray.api.pool import EvaluationSpec
from afray.driver.certifying import find_certificate
from afray.driver.embedding import EmbeddedPool, TakenOver, embed_pool, identify
from afray.driver.workspace import Workspace
from afray.runtime.embedding import EmbedPlan, EncoderFacts
from afray.runtime.reusing import StoredVectors, match_all
from afray.storage import addresses
from afray.storage.commits import commit, committed
from afray.storage.reading import ReadOnlyStore
from afray.storage.store import Store


class Note(BaseModel):
    """What embedded the held-out rows of an output, and where they are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoder: EncoderFacts
    parts: list[str]
    """Names of the commits."""
    shard_size: int


def embed_beside(
    workspace: Workspace, rows: EvaluationSpec, pool: EmbeddedPool, labels: Mapping[str, str]
) -> EmbeddedPool:
    """The held-out rows, embedded as the pool was; raises what `embed_pool` raises."""
    decode = workspace.job.spec.pool.decode
    heldout = embed_pool(workspace, rows, decode, title="held-out", labels=labels, earlier=Heldout(pool=pool.encoder))
    note = Note(
        encoder=heldout.encoder, parts=[part.name for part in heldout.parts], shard_size=heldout.index.shard_size
    )
    name = _name(pool.encoder.fingerprint, heldout.plan)
    if heldout.has_model and committed(workspace.output, name) is None:
        commit(workspace.output, name, {}, note.model_dump(), fence=workspace.fence)
    return heldout


@dataclass(frozen=True, slots=True, kw_only=True)
class Heldout:
    """Looks for notes in this output, and in that of the round before."""

    pool: EncoderFacts
    """The encoder of the pool, which is that of the held-out rows too."""

    def take_over(self, workspace: Workspace, plan: EmbedPlan) -> TakenOver:
        """What was embedded before; else the encoder, by the word of a worker."""
        if not plan.has_vectors:
            if here := self._find(workspace.output, self.pool.fingerprint, plan):
                return replace(here, stored=None, matches=())
            if before := self._find_before(workspace, plan):
                return before
        return TakenOver(identify=lambda: identify(workspace, plan))

    def _find_before(self, workspace: Workspace, plan: EmbedPlan) -> TakenOver | None:
        previous = workspace.job.spec.previous
        if previous is None:
            return None
        output = ReadOnlyStore.at(addresses.split(previous.certificate.uri)[0])
        # A finished selection outlives the round before it: then there is nothing to take over.
        certificate = find_certificate(output)
        return self._find(output, certificate.embedding.fingerprint, plan) if certificate else None

    def _find(self, output: Store, pool_fingerprint: str, plan: EmbedPlan) -> TakenOver | None:
        stored = committed(output, _name(pool_fingerprint, plan))
        if stored is None:
            return None
        note = Note.model_validate(stored.facts)
        parts = [part for name in note.parts if (part := committed(output, name))]
        is_alike = replace(note.encoder, fingerprint="") == replace(self.pool, fingerprint="")
        if not is_alike or len(parts) < len(note.parts):
            return None
        matches = tuple(match_all(plan.index.rows, plan.index.shard_size))
        vectors = StoredVectors(output=output, parts=tuple(parts), shard_size=note.shard_size)
        return TakenOver(identify=lambda: note.encoder, stored=vectors, matches=matches)


def _name(pool_fingerprint: str, plan: EmbedPlan) -> str:
    digest = hashlib.sha256(f"{pool_fingerprint} {plan.index.digest}".encode()).hexdigest()
    return f"heldout/{digest[:32]}"
