"""What workers' results mean in numbers: pure functions of a result and a meter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from afray.contract import metrics
from afray.runtime.meters import Meter

if TYPE_CHECKING:
    from afray.algorithms.clusters import Outcome
    from afray.embedding.engine import Timings


def count_batch(meter: Meter, stage: str, batch: Timings) -> None:
    """One batch, embedded."""
    meter.count(metrics.EMBEDDED_ROWS, batch.rows, stage=stage)
    meter.count(metrics.READ_BYTES, batch.read_bytes, stage=stage)
    meter.count(metrics.EMBEDDING_SECONDS, batch.wall_seconds, stage=stage)
    meter.count(metrics.DECODE_SECONDS, batch.decode_cpu_seconds, stage=stage)
    meter.count(metrics.MODEL_SECONDS, batch.model_seconds, stage=stage)


def count_clusters(meter: Meter, outcome: Outcome) -> None:
    """The clusters of one task: scored, picked from and freed of outliers."""
    meter.count(metrics.SCORED_ROWS, int(outcome.score_counts.sum()))
    meter.count(metrics.PICKED_ROWS, len(outcome.rows))
    meter.count(metrics.OUTLIER_ROWS, len(outcome.excluded_rows))
