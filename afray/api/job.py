"""The root of the grammar: a SelectionJob as users write it."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, JsonValue

from afray.api.block import Block
from afray.api.cluster import ClusterSpec
from afray.api.embedding import EmbeddingSpec
from afray.api.locations import Prefix
from afray.api.policy import PolicySpec
from afray.api.pool import EvaluationSpec, PoolSpec
from afray.api.runtime import RuntimeSpec
from afray.api.selection import SelectionSpec
from afray.api.texts import AnnotationKey, JobName, LabelKey, LabelName, LabelValue
from afray.api.training import AnnotationsSpec, FinetuneSpec, PreviousSpec

GROUP: Final = "afray.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "SelectionJob"
PLURAL: Final = "selectionjobs"
MOST_KEYS: Final = 1_000_000
"""More labels or annotations than fit into an object that an API server keeps."""


class Metadata(Block):
    """Name and labels, as of any Kubernetes object."""

    name: JobName
    """The job's name: a DNS-1035 label of at most 40 characters."""
    namespace: LabelName | None = None
    """The namespace; kubectl's own if left out."""
    labels: Annotated[dict[LabelKey, LabelValue], Field(max_length=MOST_KEYS)] = Field(default_factory=dict)
    """Labels; kueue.x-k8s.io/queue-name and kueue.x-k8s.io/priority-class reach Kueue from here."""
    annotations: Annotated[
        dict[AnnotationKey, Annotated[str, Field(max_length=262_144)]], Field(max_length=MOST_KEYS)
    ] = Field(default_factory=dict)
    """Annotations; afray reads none."""


class OutputSpec(Block):
    """Where everything that the job writes goes."""

    uri: Prefix
    """The folder or prefix of this job alone; it must support create-if-absent."""


class JobSpec(Block):
    """What to do, on what, with what."""

    suspend: bool = False
    """Stop the job on a cluster and give its pods back; finished work is kept. May be changed at any time."""
    pool: PoolSpec
    """The rows to choose from."""
    embedding: EmbeddingSpec = EmbeddingSpec()
    """How rows become vectors."""
    selection: SelectionSpec
    """Which rows to choose."""
    previous: PreviousSpec | None = None
    """The round before this one: its labelled rows are kept as they are, and its vectors are used again."""
    labels: AnnotationsSpec | None = None
    """Labels of the selected rows. Without it finetune takes pool.labels, or waits."""
    finetune: FinetuneSpec | None = None
    """Training on the labelled selection; left out: none."""
    evaluation: EvaluationSpec | None = None
    """Held-out rows; without them finetune cross-validates, and marks its figure as biased."""
    output: OutputSpec
    """Where results go."""
    runtime: RuntimeSpec | None = None
    """What runs in the pods; required on a cluster."""
    cluster: ClusterSpec | None = None
    """Which pods; required on a cluster."""
    policy: PolicySpec = PolicySpec()
    """Attempts, deadlines and clean-up on a cluster."""


MUTABLE: Final = frozenset({"suspend", "policy", "labels", "previous.labels"})
"""Fields of a spec that may change while the job exists; labels, until they are accepted."""


class SelectionJob(Block):
    """Chooses the rows of a pool that are worth labelling."""

    api_version: Literal["afray.dev/v1alpha1"]
    """The grammar's version."""
    kind: Literal["SelectionJob"]
    """The object's kind."""
    metadata: Metadata
    """Name and labels."""
    spec: JobSpec
    """What to do."""

    def to_manifest(self) -> dict[str, JsonValue]:
        """The job as a manifest says it, with every default written out."""
        manifest: dict[str, JsonValue] = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return manifest
