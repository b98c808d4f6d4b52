"""The terms that every kind of store shares: an object's listing entry, and what a backend must do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One stored object, without its bytes."""

    key: str
    """Below the root of the store that gave it."""
    size: int
    """Bytes."""
    etag: str | None
    """Changes whenever the bytes change."""
    modified: datetime


class Backend(Protocol):
    """One kind of store, rooted at one address; keys were checked by the caller."""

    def address(self, key: str) -> str:
        """Return the full address of `key`, for messages."""
        ...

    def child(self, prefix: str) -> Backend:
        """Return the same store rooted below."""
        ...

    def read(self, key: str, etag: str | None) -> bytes:
        """Return all bytes of the object."""
        ...

    def read_range(self, key: str, start: int, length: int, etag: str | None) -> bytes:
        """Return bytes start .. start + length, fewer where the object ends."""
        ...

    def create(self, key: str, content: bytes | Path) -> bool:
        """Write the whole object if there is none yet; False if there is."""
        ...

    def overwrite(self, key: str, content: bytes) -> None:
        """Write the whole object, whatever is there."""
        ...

    def head(self, key: str) -> ObjectInfo | None:
        """Return the object's entry, None if there is none."""
        ...

    def list(self, prefix: str, after: str) -> Iterator[ObjectInfo]:
        """Yield all objects in the folder `prefix` with keys above `after`, in order of their UTF-8 bytes."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object; it is no error if there is none."""
        ...

    def local_path(self, key: str) -> Path | None:
        """Return where the object lies on this machine, None if it does not."""
        ...
