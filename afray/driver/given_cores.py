"""The file of ids that `core.method: given` reads.

Its bytes are kept with the selection that was made of them, and named by the certificate: the spec names only where the
file is. Light to import, for it is asked about before anything else is.
"""

from __future__ import annotations

from afray.api.selection import CoreSpec
from afray.driver.unchanged import require_unchanged
from afray.driver.workspace import Workspace
from afray.errors import SpecError
from afray.storage.commits import Commit, committed
from afray.storage.ownership import SELECTION
from afray.storage.store import locate

ROLE = "cores.txt"
"""Of the kept file, in the commit of the selection."""
FIELD = "spec.selection.core.uri"


def read_given_cores(core: CoreSpec) -> bytes | None:
    """The file as it is now, None for another method. Raises StorageError if it cannot be read."""
    return _read(_location(core)) if core.method == "given" else None


def _location(core: CoreSpec) -> str:
    assert core.uri is not None, "a rule of the manifest"
    return core.uri


def _read(uri: str) -> bytes:
    store, key = locate(uri)
    return store.read(key)


def require_same_cores(workspace: Workspace) -> None:
    """Raises SpecError if the file is another one than that of the finished selection; a file that is gone is none."""
    core, stored = workspace.job.spec.selection.core, committed(workspace.output, SELECTION)
    kept = given_digest(stored) if stored else None
    if kept is not None and core.method == "given":
        uri = _location(core)
        require_unchanged(FIELD, uri, kept, lambda: _read(uri))


def given_digest(stored: Commit) -> str | None:
    """sha256 of the file that a selection was made of, None for another method."""
    return stored.blobs[ROLE].sha256 if ROLE in stored.blobs else None


def parse_ids(content: bytes, uri: str, budget: int) -> list[str]:
    """The ids, one a line. Raises SpecError for what is no UTF-8, no id, a repeated one, or more than the budget."""
    try:
        ids = [line.strip() for line in content.decode("utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError:
        raise SpecError(FIELD, uri, "the file is not UTF-8", "Write one id a line, in UTF-8.") from None
    if len(set(ids)) < len(ids):
        repeated = next(row_id for row_id in ids if ids.count(row_id) > 1)
        raise SpecError(FIELD, repeated, "occurs twice in the file", "Keep each id once.")
    if not ids:
        raise SpecError(FIELD, uri, "the file is empty", "Write one id a line, or choose another core.method.")
    if len(ids) > budget:
        problem = f"the file names {len(ids)} cores, and the budget is {budget} rows"
        raise SpecError(FIELD, uri, problem, "Shorten the file, or raise the budget.")
    return ids
