"""Is a file that a finished selection was made of still the same? The spec names only where it is. Light to import."""

from __future__ import annotations

from collections.abc import Callable

from afray.errors import SpecError
from afray.reporting.digests import content_digest
from afray.storage.store import ObjectMissing


def require_unchanged(field: str, uri: str, kept: str, read: Callable[[], bytes]) -> None:
    """Raises SpecError if `read` gives other bytes than those of the digest `kept`; a file that is gone is none."""
    try:
        found = content_digest(read())
    except ObjectMissing:
        return
    if found != kept:
        problem = f"the file changed since the rows were selected (sha256 {kept} then, {found} now)"
        raise SpecError(
            field, uri, problem, "Restore it, or set output.uri to an empty place to select by the new one."
        )
