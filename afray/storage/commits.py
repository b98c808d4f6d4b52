"""Results that are there whole or not at all.

    <name>.<epoch>.<role>    the bytes, one object per role, created first
    <name>.ok                created last, and only if absent: names those objects with their digests, and holds facts

The small `.ok` object is the only truth about what exists: blobs without it were left by a killed or overtaken
writer and are never read. Blob names carry the writer's epoch, so a late writer cannot change committed bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from afray.errors import IntegrityError, Retryable
from afray.storage.canonical import canonical_json
from afray.storage.store import ObjectMissing, Store

SUFFIX = ".ok"


@dataclass(frozen=True, slots=True)
class Blob:
    """Stored bytes and what they must be."""

    key: str
    """Below the root of the store that holds the commit."""
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Commit:
    """A finished result, as its `.ok` object tells."""

    name: str
    epoch: int
    """Of the driver that wrote it."""
    blobs: Mapping[str, Blob]
    """By role."""
    facts: Mapping[str, JsonValue]
    """Small things worth knowing without reading a blob: counts, digests, device class."""


class Fence(Protocol):
    """What tells a writer that a newer driver took over."""

    @property
    def epoch(self) -> int:
        """The writer's epoch."""
        ...

    def check(self) -> None:
        """Raise Fenced if a higher epoch exists."""
        ...


class _Record(BaseModel):
    """The `.ok` object as it is stored."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    epoch: int
    blobs: dict[str, Blob]
    facts: dict[str, JsonValue]


def commit(
    store: Store, name: str, payload: Mapping[str, bytes | Path], facts: Mapping[str, JsonValue], *, fence: Fence
) -> Commit:
    """Write the payload (bytes, or a local file's) by role and make it the result `name`; the first writer wins.

    Returns what is committed, which is an earlier writer's result if there was one. Raises Fenced before it commits
    if a newer driver owns the output.
    """
    blobs = {role: _write(store, f"{name}.{fence.epoch}.{role}", payload[role]) for role in sorted(payload)}
    record = _Record(name=name, epoch=fence.epoch, blobs=blobs, facts=dict(facts))
    fence.check()
    if store.create(name + SUFFIX, canonical_json(record.model_dump())):
        return _parsed(record)
    # Somebody was first; after a broken connection that may have been this very call.
    if winner := committed(store, name):
        return winner
    raise Retryable(f"{store.address(name + SUFFIX)}: the store said that it exists, but it cannot be read; run again")


def committed(store: Store, name: str) -> Commit | None:
    """Return the result `name`, None if nobody finished it; raises IntegrityError if its `.ok` is damaged."""
    try:
        content = store.read(name + SUFFIX)
    except ObjectMissing:
        return None
    try:
        record = _Record.model_validate_json(content)
    except ValidationError as error:
        raise _damaged(store, name + SUFFIX, f"it is no commit record ({error.error_count()} faults)") from None
    if record.name != name:
        raise _damaged(store, name + SUFFIX, f"it belongs to {record.name!r}")
    return _parsed(record)


def read_blob(store: Store, blob: Blob) -> bytes:
    """Return a blob's bytes; raises IntegrityError if they are not those that were committed."""
    try:
        content = store.read(blob.key)
    except ObjectMissing:
        raise _damaged(store, blob.key, "it is gone") from None
    if len(content) != blob.size:
        raise _damaged(store, blob.key, f"it has {len(content)} bytes, {blob.size} were committed")
    if hashlib.sha256(content).hexdigest() != blob.sha256:
        raise _damaged(store, blob.key, "its sha256 is not the committed one")
    return content


def _write(store: Store, key: str, content: bytes | Path) -> Blob:
    size, sha256 = _measure(content)
    if store.create(key, content) or _measure(store.read(key)) == (size, sha256):
        return Blob(key, sha256, size)
    # Another worker of this epoch left other bytes (say, from another device class) and died before its commit.
    own_key = f"{key}.{sha256[:16]}"
    store.create(own_key, content)
    return Blob(own_key, sha256, size)


def _measure(content: bytes | Path) -> tuple[int, str]:
    if isinstance(content, bytes):
        return len(content), hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return content.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


def _parsed(record: _Record) -> Commit:
    return Commit(record.name, record.epoch, record.blobs, record.facts)


def _damaged(store: Store, key: str, problem: str) -> IntegrityError:
    return IntegrityError(
        f"{store.address(key)}: {problem}. Restore the object, or delete the .ok object of its result to have it "
        "computed again"
    )
