"""What a driver and its workers count of a job: one truth for those who count, for docs/metrics.md and for dashboards.

Ray's agent on each node exposes all of it with the prefix `ray_`, and adds labels of its own. Base units, and no label
that grows with the pool: no shard, no row. Counters alone: the agent keeps their sums, but forgets a gauge some seconds
after it was last set, so what a stage found out would vanish while the next one runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PREFIX: Final = "ray_"
"""What Ray puts in front of every name."""
JOB_LABELS: Final = ("namespace", "name", "queue")
"""On every metric: those of the operator's own `afray_job_*`, so that both can be joined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLabels:
    """Whose work is counted; "" for what does not apply: on one machine there are neither namespaces nor queues."""

    namespace: str = ""
    name: str
    queue: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RayMetric:
    """One counter. `labels` come on top of JOB_LABELS; `help` is the text of the exposed page, and of the docs."""

    name: str
    labels: tuple[str, ...] = ()
    help: str

    @property
    def all_labels(self) -> tuple[str, ...]:
        """Those that afray sets."""
        return (*JOB_LABELS, *self.labels)

    @property
    def exposed_name(self) -> str:
        """Its name on the page of a Ray node."""
        return PREFIX + self.name


STAGE_ROWS: Final = RayMetric(
    name="afray_stage_rows_total",
    labels=("stage", "step"),
    help="Rows that a stage of the driver, or a step of it, got behind it; not those that it found finished.",
)
STAGE_ITERATIONS: Final = RayMetric(
    name="afray_stage_iterations_total",
    labels=("stage", "step"),
    help="Iterations of the core search and epochs of the finetune.",
)
STAGE_SECONDS: Final = RayMetric(
    name="afray_stage_seconds_total",
    labels=("stage",),
    help="Time that the driver spent in a stage, a stage within it included.",
)
EMBEDDED_ROWS: Final = RayMetric(
    name="afray_embedding_rows_total",
    labels=("stage",),
    help="Rows that workers read, decoded and put through the model; a part that is done again counts again.",
)
QUARANTINED_ROWS: Final = RayMetric(
    name="afray_embedding_quarantined_rows_total",
    labels=("stage",),
    help="Rows among them that are of no use; counted when a part is finished.",
)
READ_BYTES: Final = RayMetric(
    name="afray_embedding_read_bytes_total",
    labels=("stage",),
    help="Stored bytes of the images that were read from the pool.",
)
WRITTEN_BYTES: Final = RayMetric(
    name="afray_embedding_written_bytes_total",
    labels=("stage",),
    help="Bytes of vectors and row facts that were written to the output.",
)
EMBEDDING_SECONDS: Final = RayMetric(
    name="afray_embedding_seconds_total",
    labels=("stage",),
    help="Time that workers spent on embedding, by the wall clock; what the model does not take, it waits for pixels.",
)
DECODE_SECONDS: Final = RayMetric(
    name="afray_embedding_decode_cpu_seconds_total",
    labels=("stage",),
    help="CPU time of reading, hashing and decoding, over all threads of a worker.",
)
MODEL_SECONDS: Final = RayMetric(
    name="afray_embedding_model_seconds_total",
    labels=("stage",),
    help="Time in the model, by the wall clock.",
)
SCORED_ROWS: Final = RayMetric(
    name="afray_selection_scored_rows_total",
    help="Rows whose boundary score was computed; cores and outliers have none.",
)
PICKED_ROWS: Final = RayMetric(
    name="afray_selection_picked_rows_total",
    help="Rows that were picked in their clusters, cores included.",
)
OUTLIER_ROWS: Final = RayMetric(
    name="afray_selection_outlier_rows_total",
    help="Rows that were removed from their clusters as outliers.",
)
LOST_WORKERS: Final = RayMetric(
    name="afray_workers_lost_total",
    labels=("cause",),
    help="Workers that were replaced; `cause` is died, or stalled: its lease was taken back, and it was killed.",
)
REPEATED_TASKS: Final = RayMetric(
    name="afray_tasks_repeated_total",
    help="Tasks that were given to another worker because the one that had them was lost.",
)
FUNNEL_ROWS: Final = RayMetric(
    name="afray_funnel_rows_total",
    labels=("state",),
    help="Rows of the pool that turned out listed, readable, unique, kept (no outlier) and selected, once per driver.",
)

METRICS: Final = (
    STAGE_ROWS,
    STAGE_ITERATIONS,
    STAGE_SECONDS,
    EMBEDDED_ROWS,
    QUARANTINED_ROWS,
    READ_BYTES,
    WRITTEN_BYTES,
    EMBEDDING_SECONDS,
    DECODE_SECONDS,
    MODEL_SECONDS,
    SCORED_ROWS,
    PICKED_ROWS,
    OUTLIER_ROWS,
    LOST_WORKERS,
    REPEATED_TASKS,
    FUNNEL_ROWS,
)
"""All of them, in the order of the docs."""
