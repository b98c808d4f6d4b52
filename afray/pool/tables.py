"""Tables as committed results of one index."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from afray.errors import Retryable
from afray.storage.commits import Blob, Commit, Fence, commit, committed, read_blob
from afray.storage.store import Store

_ROLE = "parquet"


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where one index grows: a name below the output, under the fence of the driver that owns it."""

    output: Store
    name: str
    fence: Fence

    def commit(self, step: str, table: pa.Table, facts: BaseModel) -> Commit:
        """Commit a table with its facts.

        Raises Fenced if a newer driver owns the output, Retryable if an overtaken one slipped another result in.
        """
        name, wanted = f"{self.name}/{step}", facts.model_dump(mode="json")
        result = commit(self.output, name, {_ROLE: to_bytes(table)}, wanted, fence=self.fence)
        if result.facts != wanted:
            raise Retryable(f"{self.output.address(name)}: another driver committed other rows meanwhile. Run again")
        return result

    def committed(self, step: str) -> Commit | None:
        """Return the commit of a step, None if it is not finished."""
        return committed(self.output, f"{self.name}/{step}")

    def read(self, result: Commit) -> pa.Table:
        """Read the table of a commit."""
        return read(self.output, table_blob(result))


def table_blob(result: Commit) -> Blob:
    """Return the blob that holds the table of a commit."""
    return result.blobs[_ROLE]


def to_bytes(table: pa.Table) -> bytes:
    """Parquet bytes of a table; the same bytes for the same table and library."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def read(store: Store, blob: Blob) -> pa.Table:
    """Read the table in a committed blob; raises IntegrityError if the bytes are not those that were committed."""
    return pq.read_table(pa.BufferReader(read_blob(store, blob)), use_threads=False)
