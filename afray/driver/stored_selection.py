"""A finished selection in storage: row numbers and scores, from which every table and report is made again."""

from __future__ import annotations

import io
from dataclasses import fields

import numpy as np

from afray.algorithms.selection import Selection
from afray.storage.commits import Commit, Fence, commit, read_blob
from afray.storage.store import Store

NAME = "selection/rows"
_ARRAYS = "arrays.npz"


def store_selection(output: Store, selection: Selection, *, fence: Fence) -> Commit:
    """Commit the selection; if one is committed already, that one stays."""
    buffer = io.BytesIO()
    arrays = {field.name: np.asarray(getattr(selection, field.name)) for field in fields(selection)}
    np.savez(buffer, allow_pickle=False, **arrays)
    return commit(output, NAME, {_ARRAYS: buffer.getvalue()}, {}, fence=fence)


def load_selection(output: Store, stored: Commit) -> Selection:
    """The committed selection. Raises IntegrityError if its bytes changed."""
    with np.load(io.BytesIO(read_blob(output, stored.blobs[_ARRAYS])), allow_pickle=False) as arrays:
        values = {name: arrays[name] for name in arrays.files}
    return Selection(**{**values, "kept": int(values["kept"])})
