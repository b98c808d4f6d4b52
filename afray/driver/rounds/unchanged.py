"""Is the label file still the one that a finished selection was made of? Light to import: asked before all else."""

from __future__ import annotations

from afray.driver.rounds import answers
from afray.driver.unchanged import require_unchanged
from afray.driver.workspace import Workspace
from afray.pool.labels import fetch
from afray.storage.commits import committed, read_blob
from afray.storage.ownership import SELECTION

FIELD = "spec.previous.labels.uri"


def require_same_labels(workspace: Workspace) -> None:
    """Raises SpecError if the label file is another than that of the finished selection; one that is gone is none."""
    previous, stored = workspace.job.spec.previous, committed(workspace.output, SELECTION)
    if previous is None or previous.labels is None or stored is None or answers.ROLE not in stored.blobs:
        return
    kept = answers.read(read_blob(workspace.output, stored.blobs[answers.ROLE])).rounds[-1].file
    labels = previous.labels
    require_unchanged(FIELD, labels.uri, kept, lambda: fetch(labels)[1])
