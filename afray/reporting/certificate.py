"""certificate.json: everything a selection depends on, by digest, so that it can be checked and repeated elsewhere.

The file is written once, in one canonical form. Each field is sealed by a digest of its own: the seals do not stop a
forger (recomputing the selection does, see `verify`), they tell which field was changed by accident or by hand.
"""

from __future__ import annotations

import json
from typing import Literal

from pydantic import ValidationError

from afray.errors import IntegrityError
from afray.reporting import facts
from afray.reporting.digests import content_digest
from afray.reporting.facts import Count, Digest, Facts, Funnel, Json, Share

NAME = "certificate.json"
_SEALS = "seals"


class IndexFacts(Facts):
    """The list of rows that the run saw."""

    digest: Digest
    rows: Count
    shards: Count


class EmbeddedShard(Facts):
    """One committed shard of vectors."""

    shard: Count
    rows: Count
    digest: Digest
    device: str
    """Device class that computed it, such as `cpu` or `cuda NVIDIA H100`."""


class EmbeddingFacts(Facts):
    """The vectors: what they were computed from, and by what."""

    fingerprint: Digest
    precision: str
    normalization: str
    devices: tuple[str, ...]
    """Every device class that occurs, sorted."""
    shards: tuple[EmbeddedShard, ...]


class ModelFacts(Facts):
    """The encoder."""

    name: str
    sha256: Digest


class DecodeFacts(Facts):
    """The rules that turn stored bytes into pixels."""

    image_size: Count
    pixel_range: Literal["dtype"] | tuple[float, float]
    background: str
    max_pixels: Count


class CodeFacts(Facts):
    """The programs that ran."""

    afray: str
    python: str
    libraries: dict[str, str]
    """Version by name, of every library that can change a vector or an id."""


class PreviousFacts(Facts):
    """The round before: what labels were added to those that it knew, and what was learned from all of them."""

    certificate: Digest
    """That round's certificate.json."""
    labels: Digest
    """The label file that came back for it."""
    answered: Count
    """Rows that have an answer by now, over all rounds."""
    answers: Digest
    """All answers, as kept with the selection."""
    model: Digest | None
    """The model of all labels, as kept with the selection; null where the method learns none, or nothing to learn."""


class ApproximationFacts(Facts):
    """What the spec asked to be approximated, and how far off that is, on a sample; null for what is exact."""

    probes: Count | None
    """Groups of cores in which each row looked for its own."""
    recall: Share | None
    """Share of rows that found their nearest core there."""
    intra_distance: Literal["rms"] | None
    changed_picks: Share | None
    """Share of boundary rows that exact mean distances would not have picked."""


class Certificate(Facts):
    """What was selected from what, by what. `model` and `decode` are null for pools that hold embeddings.

    `approximations` is left out of the file where everything is exact.
    """

    version: Literal[1] = 1
    spec_digest: Digest
    index: IndexFacts
    embedding: EmbeddingFacts
    model: ModelFacts | None
    decode: DecodeFacts | None
    code: CodeFacts
    seed: int
    given_cores: Digest | None
    """The file of core ids; null unless the cores were given."""
    counters: Funnel
    outputs: dict[str, Digest]
    """sha256 of every other output file, by its key below the output."""
    selection_digest: Digest
    previous: PreviousFacts | None = None
    """null in a first round."""
    approximations: ApproximationFacts | None = None


def write(certificate: Certificate) -> bytes:
    """The canonical file: declared order, two spaces, UTF-8, LF, the seals last."""
    document = facts.dump(certificate)
    if certificate.approximations is None:
        del document["approximations"]  # as certificates were before there were any
    return _encode({**document, _SEALS: _seal(document)})


def read(content: bytes) -> Certificate:
    """The certificate in a file. Raises IntegrityError naming the field that is missing, broken or edited."""
    document = facts.parse(content, NAME)
    seals = document.pop(_SEALS, None)
    try:
        # Through JSON, for strict models take a list for a tuple only there.
        certificate = Certificate.model_validate_json(json.dumps(document))
    except ValidationError as invalid:
        raise facts.first_problem(NAME, invalid) from invalid
    _require_unbroken(seals, _seal(document))
    if content != write(certificate):
        raise IntegrityError(f"{NAME}: re-formatted since it was written; restore the original file")
    return certificate


def _seal(document: dict[str, Json]) -> dict[str, Json]:
    return {field: content_digest(_encode(value)) for field, value in document.items()}


def _require_unbroken(found: Json, expected: dict[str, Json]) -> None:
    if not isinstance(found, dict):
        raise IntegrityError(f"{NAME}: field {_SEALS}: missing; the file is truncated, restore it")
    for field, seal in expected.items():
        if found.get(field) != seal:
            raise IntegrityError(
                f"{NAME}: field {field}: edited since it was written (seal {found.get(field)!r}, content {seal!r}); "
                "restore the file or run again"
            )


def _encode(value: Json) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
