"""A finished index: which parts there are, and one digest over all their rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from afray.errors import IntegrityError
from afray.pool import tables
from afray.pool.naming import Ignored
from afray.pool.parts import PartWriter
from afray.pool.rows import ROW_SCHEMA
from afray.pool.tables import Workspace
from afray.storage.commits import Blob
from afray.storage.store import Store

_STEP = "manifest"
_SCHEMA = pa.schema([("key", pa.string()), ("sha256", pa.string()), ("size", pa.int64())])


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    digest: str
    rows: int
    shard_size: int
    ignored: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolIndex:
    """All rows of a pool, numbered in the order of ids and cut into parts of `shard_size` rows; travels by pickle."""

    digest: str
    """sha256 chained over the rows in order (id, key, size, etag and place of each): not over how they are cut."""
    rows: int
    shard_size: int
    ignored: dict[str, int] = field(hash=False)
    """What is stored beside the rows without being one: counts by kind."""
    output: Store = field(compare=False)
    parts: tuple[Blob, ...]

    @property
    def shard_count(self) -> int:
        """Parts, the last of which may be short."""
        return len(self.parts)

    def read_part(self, number: int) -> pa.Table:
        """Read the rows number * shard_size .. of the pool: ROW_SCHEMA; raises IntegrityError if they were altered."""
        part = tables.read(self.output, self.parts[number])
        if not part.schema.equals(ROW_SCHEMA):
            raise IntegrityError(
                f"{self.output.address(self.parts[number].key)}: not a part of an index as this version writes them. "
                "Use a new output"
            )
        return part


def load(workspace: Workspace) -> PoolIndex | None:
    """Return the finished index of a workspace, None if it is not finished."""
    result = workspace.committed(_STEP)
    if result is None:
        return None
    facts = _Facts.model_validate(result.facts)
    parts = tuple(Blob(**part) for part in workspace.read(result).to_pylist())
    return PoolIndex(output=workspace.output, parts=parts, **facts.model_dump())


def publish(writer: PartWriter, ignored: Ignored, shard_size: int) -> PoolIndex:
    """Commit the manifest of all parts written; from here on the index is finished."""
    table = pa.Table.from_pylist([asdict(part) for part in writer.parts], _SCHEMA)
    facts = _Facts(digest=writer.digest, rows=writer.rows, shard_size=shard_size, ignored=ignored.counts)
    writer.workspace.commit(_STEP, table, facts)
    return PoolIndex(output=writer.workspace.output, parts=tuple(writer.parts), **facts.model_dump())
