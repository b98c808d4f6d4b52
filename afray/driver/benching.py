"""What a bench compares methods on: the job's pool and held-out set, embedded by the normal stages."""

from __future__ import annotations

import numpy as np

from afray.api.job import SelectionJob
from afray.driver import workspace as workspaces
from afray.driver.certifying import find_certificate
from afray.driver.evaluating import embed_heldout
from afray.driver.labelled import LabelledSet, find_labelled
from afray.driver.labelling import load_labels
from afray.driver.pipeline import embed
from afray.driver.progress import Display
from afray.driver.workspace import RunSettings
from afray.errors import SpecError
from afray.evaluation.bench import LabelledPool
from afray.evaluation.labels import LabelledRows
from afray.runtime.vectors import read_kept


def embed_labelled(job: SelectionJob, settings: RunSettings, display: Display) -> tuple[LabelledPool, LabelledRows]:
    """The labelled rows of pool and held-out set with their stored vectors; embedded now, or found embedded.

    Raises SpecError if the job lacks one of the two label files, and what embedding raises.
    """
    for field, block in (("spec.pool.labels", job.spec.pool.labels), ("spec.evaluation", job.spec.evaluation)):
        if block is None:
            raise SpecError(field, None, "is missing; a bench needs labels for pool and held-out rows", "Add it.")
    with workspaces.opened(job, settings, display) as workspace:
        labels = load_labels(job)
        pool = embed(workspace, find_certificate(workspace.output), labels)
        heldout = embed_heldout(workspace, pool, labels)
        assert labels.pool is not None
        assert heldout is not None
        labelled = find_labelled(pool, labels.pool, "spec.pool.labels")
        rows = LabelledPool(rows=_read(labelled), pool_ids=pool.rows.pool_ids(labelled.rows), total=pool.index.rows)
        return rows, _read(heldout)


def _read(labelled: LabelledSet) -> LabelledRows:
    """Vectors as they were stored, and labels."""
    vectors = np.concatenate([read_kept(shard) for shard in labelled.pool.shards])
    return LabelledRows(vectors=vectors[labelled.rows], labels=labelled.labels)
