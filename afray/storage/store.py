"""The one seam to stored bytes: whole objects under keys, on local files or in a bucket.

Nothing here overwrites by accident: data are created if absent, once and atomically, and never changed afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from afray.storage import addresses, settings
from afray.storage.addresses import Location
from afray.storage.cloud import CloudObjects
from afray.storage.faults import (
    AccessDenied,
    InvalidAddress,
    ObjectChanged,
    ObjectMissing,
    StoreFull,
    StoreRefused,
    StoreUnreachable,
)
from afray.storage.local import LocalFiles
from afray.storage.objects import Backend, ObjectInfo

__all__ = [
    "AccessDenied",
    "InvalidAddress",
    "ObjectChanged",
    "ObjectInfo",
    "ObjectMissing",
    "Store",
    "StoreFull",
    "StoreRefused",
    "StoreUnreachable",
    "locate",
]


class Store:
    """Objects below one address: a folder (`file://` or a plain path), or a bucket (`s3://`, `gs://`, `az://`).

    Keys are relative, with slashes. Opening connects to nothing. A store pickles as its address, so another process
    connects with its own environment, laid under the one given here. All methods raise AccessDenied, StoreRefused and
    InvalidAddress for good, StoreUnreachable and StoreFull where trying again can help. Threads may share a store.
    """

    def __init__(self, location: Location, environment: Mapping[str, str], backend: Backend | None = None) -> None:
        self._location, self._environment, self._opened = location, environment, backend

    @classmethod
    def open(cls, uri: str, *, environment: Mapping[str, str] | None = None) -> Store:
        """Return the store at `uri`; `environment` is laid over that of the process."""
        return cls(addresses.parse(uri), dict(environment or {}))

    @property
    def uri(self) -> str:
        """The address in one canonical spelling, without a slash at its end."""
        return self._location.uri

    def address(self, key: str) -> str:
        """Return the full address of `key`, for people to read."""
        return self._backend.address(key)

    def child(self, prefix: str) -> Store:
        """Return the store rooted in the folder `prefix`, over the same connections."""
        prefix = addresses.check_prefix(prefix)
        if not prefix:
            return self
        return Store(self._location.child(prefix), self._environment, self._backend.child(prefix))

    def read(self, key: str, *, etag: str | None = None) -> bytes:
        """Return all bytes of an object; raises ObjectMissing, and ObjectChanged if it no longer has `etag`."""
        return self._backend.read(addresses.check_key(key), etag)

    def read_range(self, key: str, start: int, length: int, *, etag: str | None = None) -> bytes:
        """Return `length` bytes from `start` on, fewer where the object ends; raises as `read` does."""
        return self._backend.read_range(addresses.check_key(key), start, length, etag)

    def create(self, key: str, content: bytes | Path) -> bool:
        """Write an object, whole or not at all, unless there is one: then False. A Path gives a file's bytes.

        If a connection breaks at the wrong moment, False can also mean that this very call wrote it, so callers
        to whom it matters read the object back.
        """
        return self._backend.create(addresses.check_key(key), content)

    def overwrite(self, key: str, content: bytes) -> None:
        """Write an object whatever is there: for beats and progress, never for results."""
        self._backend.overwrite(addresses.check_key(key), content)

    def head(self, key: str) -> ObjectInfo | None:
        """Return an object's entry, None if there is none."""
        return self._backend.head(addresses.check_key(key))

    def list(self, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects in the folder `prefix` and below, with keys above `after`.

        They come in ascending order of their keys' UTF-8 bytes, as the store gives them, however many there are:
        to go on after a stop, pass the last key seen. `welds` means the folder, so `welds2/a.png` is not in it.
        """
        return self._backend.list(addresses.check_prefix(prefix), after)

    def delete(self, key: str) -> None:
        """Remove an object; it is no error if there is none."""
        self._backend.delete(addresses.check_key(key))

    def local_path(self, key: str) -> Path | None:
        """Return where an object lies on this machine, so that readers can map it; None for a bucket."""
        return self._backend.local_path(addresses.check_key(key))

    @property
    def _backend(self) -> Backend:
        if self._opened is None:
            self._opened = _open(self._location, self._environment)
        return self._opened

    def __getstate__(self) -> tuple[Location, Mapping[str, str]]:
        return self._location, self._environment

    def __setstate__(self, state: tuple[Location, Mapping[str, str]]) -> None:
        self._location, self._environment = state
        self._opened = None

    def __repr__(self) -> str:
        return f"Store({self.uri!r})"


def locate(uri: str, *, environment: Mapping[str, str] | None = None) -> tuple[Store, str]:
    """Return the store and the key of one object, for addresses that name a file rather than a folder."""
    folder, key = addresses.split(uri)
    return Store.open(folder, environment=environment), key


def _open(location: Location, environment: Mapping[str, str]) -> Backend:
    if location.scheme == "file":
        return LocalFiles(Path(location.root))
    bucket = settings.connect(location.scheme, location.root, {**os.environ, **environment})
    return CloudObjects(bucket, f"{location.scheme}://{location.root}", location.prefix)
