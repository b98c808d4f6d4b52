"""A finished selection in storage: row numbers and scores, from which every table and report is made again."""

from __future__ import annotations

import io
from dataclasses import fields
from pathlib import Path

import numpy as np

from afray.algorithms.selection import Selection
from afray.driver import given_cores
from afray.errors import Fenced
from afray.storage.commits import Commit, Fence, commit, read_blob
from afray.storage.ownership import SELECTION
from afray.storage.store import Store

_ARRAYS = "arrays.npz"
_SPEC = "spec"


def store_selection(
    output: Store, selection: Selection, given: bytes | None, *, spec_digest: str, fence: Fence
) -> Commit:
    """Commit the selection, and the file of its given cores; if one is committed already, that one stays."""
    buffer = io.BytesIO()
    arrays = {field.name: np.asarray(getattr(selection, field.name)) for field in fields(selection)}
    np.savez(buffer, allow_pickle=False, **arrays)
    payload: dict[str, bytes | Path] = {_ARRAYS: buffer.getvalue()}
    if given is not None:
        payload[given_cores.ROLE] = given
    return commit(output, SELECTION, payload, {_SPEC: spec_digest}, fence=fence)


def load_selection(output: Store, stored: Commit, *, spec_digest: str) -> Selection:
    """The committed selection. Raises IntegrityError if its bytes changed, Fenced if it is another spec's.

    That can be where an owner thought to be dead commits in the very moment in which it is overtaken.
    """
    if stored.facts[_SPEC] != spec_digest:
        raise Fenced(f"{output.address(stored.name)}: a run of another spec has just selected here; this one stops")
    with np.load(io.BytesIO(read_blob(output, stored.blobs[_ARRAYS])), allow_pickle=False) as arrays:
        values = {name: arrays[name] for name in arrays.files}
    numbers = {name: value.item() for name, value in values.items() if not value.shape}
    return Selection(**{**values, **numbers})


def load_given_cores(output: Store, stored: Commit) -> bytes | None:
    """The kept file of given cores, None for another method. Raises IntegrityError if its bytes changed."""
    blob = stored.blobs.get(given_cores.ROLE)
    return None if blob is None else read_blob(output, blob)
