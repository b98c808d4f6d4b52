"""The digest that names a selection.

Two selections are the same if and only if their digests are: same ids, same kinds, same order. Standard library only,
so that anybody can recompute it from `selection.csv` with a dozen lines.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable


def selection_digest(ids: Iterable[str], kinds: Iterable[str]) -> str:
    """sha256 (hex) over one JSON line `[id,kind,rank]` per selected row, in rank order from 0.

    Raises ValueError if `ids` and `kinds` differ in length.
    """
    digest = hashlib.sha256()
    for rank, (row_id, kind) in enumerate(zip(ids, kinds, strict=True)):
        line = json.dumps([row_id, kind, rank], ensure_ascii=False, separators=(",", ":"))
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()


def content_digest(content: bytes) -> str:
    """sha256 (hex) of a file's bytes."""
    return hashlib.sha256(content).hexdigest()
