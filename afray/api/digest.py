"""The digest of what a selection depends on: the same digest, the same ids (given the same stored objects)."""

from __future__ import annotations

import hashlib
import json

from afray.api.job import SelectionJob


def spec_digest(job: SelectionJob) -> str:
    """sha256 (hex) over canonical JSON of pool, embedding, selection, previous, without labels; defaults written out.

    Pods, deadlines, labels, evaluation and output do not count, so a job may change them and resume; the labels that
    a round goes on from are kept with its selection, by digest. Locations count as they stand: take the digest of a
    job whose URIs are resolved.
    """
    spec = job.spec
    covered = {
        "pool": spec.pool.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"labels"}),
        "embedding": spec.embedding.model_dump(mode="json", by_alias=True, exclude_none=True),
        "selection": spec.selection.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
    if spec.previous is not None:
        covered["previous"] = spec.previous.model_dump(
            mode="json", by_alias=True, exclude_none=True, exclude={"labels"}
        )
    canonical = json.dumps(covered, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
