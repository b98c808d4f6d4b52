"""Is the label file still the one that a finished selection was made of? Light to import: asked before all else."""

from __future__ import annotations

from afray.driver.rounds import answers
from afray.driver.workspace import Workspace
from afray.errors import SpecError
from afray.pool.labels import fetch
from afray.reporting.digests import content_digest
from afray.storage.commits import committed, read_blob
from afray.storage.ownership import SELECTION
from afray.storage.store import ObjectMissing

FIELD = "spec.previous.labels.uri"


def require_same_labels(workspace: Workspace) -> None:
    """Raises SpecError if the label file is another than that of the finished selection; one that is gone is none."""
    previous, stored = workspace.job.spec.previous, committed(workspace.output, SELECTION)
    if previous is None or stored is None or answers.ROLE not in stored.blobs:
        return
    kept = answers.read(read_blob(workspace.output, stored.blobs[answers.ROLE])).rounds[-1].file
    try:
        _, content = fetch(previous.labels)
    except ObjectMissing:
        return
    if (found := content_digest(content)) != kept:
        raise SpecError(
            FIELD,
            previous.labels.uri,
            f"the file changed since the rows were selected (sha256 {kept} then, {found} now)",
            "Restore it, or set output.uri to an empty place to select by the new one.",
        )
