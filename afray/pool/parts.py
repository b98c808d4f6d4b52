"""The parts of an index: equal slices of its rows in order, each committed once, the next one after the last.

<name>/part-<n>    rows n * shard_size .. of the pool, as ROW_SCHEMA
"""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from afray.pool.naming import Ignored
from afray.pool.rows import ROW_SCHEMA
from afray.pool.tables import Workspace, table_blob
from afray.storage.commits import Blob, Commit

FIRST_LINK = hashlib.sha256(b"afray index 1").hexdigest()
"""Digest of no rows."""
_line = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class _PartFacts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: int
    """Of this part and of all before it."""
    digest: str
    """Over the same rows."""
    last_id: str
    ignored: dict[str, int]


class PartWriter:
    """Commits parts one after the other, and knows where an earlier driver stopped."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.parts: list[Blob] = []
        self.rows = 0
        self.digest = FIRST_LINK
        self.last_id = ""
        self.ignored: dict[str, int] = {}
        while result := workspace.committed(f"part-{len(self.parts):05d}"):
            self._advance(result)

    def append(self, addresses: pa.Table, ignored: Ignored) -> None:
        """Commit the next rows (ADDRESS_SCHEMA) as a part; `ignored` is the tally up to its last row."""
        pool_ids = pa.array(np.arange(self.rows, self.rows + len(addresses), dtype=np.int64))
        rows = addresses.add_column(0, ROW_SCHEMA.field("pool_id"), pool_ids)
        facts = _PartFacts(
            rows=self.rows + len(addresses),
            digest=extend_digest(self.digest, addresses),
            last_id=addresses["id"][-1].as_py(),
            ignored=ignored.counts,
        )
        self._advance(self.workspace.commit(f"part-{len(self.parts):05d}", rows, facts))

    def _advance(self, result: Commit) -> None:
        facts = _PartFacts.model_validate(result.facts)
        self.parts.append(table_blob(result))
        self.rows, self.digest = facts.rows, facts.digest
        self.last_id, self.ignored = facts.last_id, facts.ignored


def extend_digest(digest: str, addresses: pa.Table) -> str:
    """Digest of all rows up to the last of `addresses`, from the digest of those before; parts leave no trace in it.

    Each row is hashed behind the digest so far, as a JSON list of ADDRESS_SCHEMA's columns, so a listing that was
    stopped goes on from 32 bytes.
    """
    link = bytes.fromhex(digest)
    for values in zip(*(column.to_pylist() for column in addresses.columns), strict=True):
        link = hashlib.sha256(link + _line(values).encode()).digest()
    return link.hex()
