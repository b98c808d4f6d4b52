"""Objects in a bucket, through obstore: S3 and what speaks its protocol, Google Cloud Storage, Azure Blob Storage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore import exceptions

from afray.storage.addresses import join
from afray.storage.answers import RangeBeyondEnd, fault, is_conflict, no_bucket
from afray.storage.faults import ObjectChanged, ObjectMissing, StoreUnreachable
from afray.storage.objects import ObjectInfo

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.store import ObjectStore

LISTING_CHUNK = 1000
CONFLICT_WAITS = (0.1, 0.3, 1.0)
"""Seconds between tries while another writer of the same key is under way."""


class CloudObjects:
    """The objects of a bucket below a prefix."""

    def __init__(self, bucket: ObjectStore, uri: str, prefix: str) -> None:
        self._bucket, self._uri, self._prefix = bucket, uri, prefix

    def address(self, key: str) -> str:
        """Return the URI of the object."""
        return join(self._uri, join(self._prefix, key))

    def child(self, prefix: str) -> CloudObjects:
        """Return the same bucket, with the same connections, rooted below."""
        return CloudObjects(self._bucket, self._uri, join(self._prefix, prefix))

    def local_path(self, key: str) -> None:  # noqa: ARG002 - the seam's signature
        """Return None: a bucket has no files here."""
        return

    def read(self, key: str, etag: str | None) -> bytes:
        """Return all bytes of the object."""
        return self._get(key, {}, etag)

    def read_range(self, key: str, start: int, length: int, etag: str | None) -> bytes:
        """Return the bytes of the object from `start` on, at most `length`."""
        if length == 0:
            return b""
        try:
            return self._get(key, {"range": (start, start + length)}, etag)
        except RangeBeyondEnd:
            return b""

    def _get(self, key: str, options: GetOptions, etag: str | None) -> bytes:
        if etag:
            options["if_match"] = etag
        with self._faults(key, etag):
            return bytes(obstore.get(self._bucket, self._path(key), options=options).bytes())

    def create(self, key: str, content: bytes | Path) -> bool:
        """Write the object if there is none of that name."""
        for wait in CONFLICT_WAITS:
            try:
                with self._in_bucket(key):
                    obstore.put(self._bucket, self._path(key), content, mode="create", use_multipart=False)
            except exceptions.AlreadyExistsError as error:
                if not is_conflict(error) or self.head(key) is not None:
                    return False
                time.sleep(wait)
            else:
                return True
        raise StoreUnreachable(self.address(key), "HTTP 409 again and again", "what else writes this object")

    def overwrite(self, key: str, content: bytes) -> None:
        """Replace the object at once."""
        with self._in_bucket(key):
            obstore.put(self._bucket, self._path(key), content, use_multipart=False)

    def head(self, key: str) -> ObjectInfo | None:
        """Return the object's entry, None if there is none."""
        try:
            with self._faults(key):
                return self._entry(obstore.head(self._bucket, self._path(key)))
        except ObjectMissing:
            return None

    def delete(self, key: str) -> None:
        """Remove the object."""
        try:
            with self._faults(key):
                obstore.delete(self._bucket, self._path(key))
        except ObjectMissing:
            return

    def list(self, prefix: str, after: str) -> Iterator[ObjectInfo]:
        """Yield the objects as the bucket lists them, which is in the order of their UTF-8 bytes."""
        folder = self._path(prefix)
        offset, lowest = self._path(after) if after else None, after.encode()
        with self._in_bucket(prefix):
            for chunk in obstore.list(self._bucket, folder or None, offset=offset, chunk_size=LISTING_CHUNK):
                for meta in chunk:
                    entry = self._entry(meta)
                    # obstore drops a slash at the end of the offset, and so can start too early.
                    is_wanted = meta["path"] != folder and entry.key.encode() > lowest
                    if is_wanted and not self._is_folder_marker(entry):
                        yield entry

    def _is_folder_marker(self, entry: ObjectInfo) -> bool:
        """Tell whether an empty object is the mark that consoles leave for a folder, named with a slash at its end.

        The listing drops that slash, so only asking for the object tells.
        """
        return entry.size == 0 and self.head(entry.key) is None

    def _path(self, key: str) -> str:
        return join(self._prefix, key)

    def _entry(self, meta: ObjectMeta) -> ObjectInfo:
        key = meta["path"][len(self._prefix) :].removeprefix("/")
        return ObjectInfo(key, meta["size"], meta["e_tag"], meta["last_modified"])

    @contextmanager
    def _faults(self, key: str, etag: str | None = None) -> Iterator[None]:
        """Turn obstore's errors into ours, without its text."""
        address = self.address(key)
        try:
            yield
        except exceptions.PreconditionError:
            raise ObjectChanged(address, etag or "", None) from None
        except exceptions.AlreadyExistsError:
            raise
        except (exceptions.BaseError, FileNotFoundError, ValueError) as error:
            raise fault(error, address) from None

    @contextmanager
    def _in_bucket(self, key: str) -> Iterator[None]:
        """Do as `_faults` where no object needs to exist, so that only the bucket can be missing."""
        try:
            with self._faults(key):
                yield
        except ObjectMissing:
            raise no_bucket(self.address(key)) from None
