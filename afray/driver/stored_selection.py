"""A finished selection in storage: row numbers and scores, from which every table and report is made again.

Beside them the files that it was made of, by role: given cores, answers of earlier rounds, the model of them.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np

from afray.algorithms.selection import Selection
from afray.errors import Fenced
from afray.storage.commits import Commit, Fence, commit, read_blob
from afray.storage.ownership import SELECTION
from afray.storage.store import Store

_ARRAYS = "arrays.npz"
_SPEC = "spec"


def store_selection(
    output: Store, selection: Selection, inputs: Mapping[str, bytes], *, spec_digest: str, fence: Fence
) -> Commit:
    """Commit the selection and the files that it was made of; if one is committed already, that one stays."""
    buffer = io.BytesIO()
    arrays = {field.name: np.asarray(getattr(selection, field.name)) for field in fields(selection)}
    np.savez(buffer, allow_pickle=False, **arrays)
    payload: dict[str, bytes | Path] = {_ARRAYS: buffer.getvalue(), **inputs}
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


def load_inputs(output: Store, stored: Commit) -> dict[str, bytes]:
    """The kept files that the selection was made of, by role. Raises IntegrityError if their bytes changed."""
    return {role: read_blob(output, blob) for role, blob in stored.blobs.items() if role != _ARRAYS}
