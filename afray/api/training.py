"""Blocks about what follows a selection: annotations that come back, the round before this one, and finetuning."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from afray.api.block import Block
from afray.api.locations import File
from afray.api.texts import GroupName, Sha256

Recipe = Literal["full"]
AnnotationFormat = Literal["csv", "parquet", "label-studio"]


class AnnotationsSpec(Block):
    """Labels of selected rows, as people gave them. May be added to a job that waits for them."""

    uri: File
    """The label file."""
    format: AnnotationFormat
    """csv (UTF-8, with a header) or parquet: columns `id`, `label` and, if wanted, `status` (labelled, skipped,
    unsure), `annotator` and `labelled_at`. label-studio: a project exported as JSON, with the id of each row in
    `data.afray_id`."""
    sha256: Sha256 | None = None
    """Digest of the file; other bytes are refused."""


class CertificateSpec(Block):
    """The certificate of a finished selection."""

    uri: File
    """Its certificate.json; vectors and earlier labels are read beside it."""


class PreviousSpec(Block):
    """The round before this one: the same pool and encoder, and what people said about its rows."""

    certificate: CertificateSpec
    """The round before this one; its own previous rounds count too."""
    labels: AnnotationsSpec | None = None
    """Labels of the rows that it selected. On a cluster a job without them waits, and they may be added."""


class FinetuneWorkersSpec(Block):
    """Who finetunes."""

    group: GroupName | None = None
    """The worker group of spec.cluster to take pods from; may be left out if there is one. Not for `afray run`."""
    replicas: int = Field(1, ge=1, le=1000)
    """Number of data-parallel workers."""


class FinetuneSpec(Block):
    """Training of the embedding's model on the labelled rows of the selection."""

    recipe: Recipe = "full"
    """full: all weights."""
    epochs: int = Field(50, ge=1, le=10_000)
    """Passes over the labelled rows."""
    workers: FinetuneWorkersSpec = FinetuneWorkersSpec()
    """Who finetunes."""
    active_deadline_seconds: int | None = Field(None, ge=60, le=31_536_000)
    """Replaces policy.activeDeadlineSeconds for the finetune."""
