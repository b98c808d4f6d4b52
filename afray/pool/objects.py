"""Rows that are objects, or byte ranges of one: images in a folder, members of tars, addresses in a table."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from afray.pool.rows import Address, Reason, RowUnreadable
from afray.storage import addresses
from afray.storage.store import Store


class Objects:
    """Reads whole objects and ranges, of the pool's store or of any other that an absolute address names."""

    def __init__(self, source: Store, environment: Mapping[str, str] | None) -> None:
        self._source, self._environment = source, environment
        self._elsewhere: dict[str, Store] = {}
        self._lock = threading.Lock()

    def read(self, address: Address) -> bytes:
        """Bytes of one row; raises RowUnreadable if the object has another size than the index saw."""
        if not address.key:
            raise RowUnreadable(Reason.missing, "the row has neither an image nor an address")
        store, key = self._locate(address.key)
        if address.offset is None:
            found, expected = store.read(key, etag=address.etag), address.size
        else:
            expected = address.length
            found = store.read_range(key, address.offset, expected, etag=address.etag) if expected else b""
        if expected is not None and len(found) != expected:
            counts = f"{len(found)} bytes, {expected} when it was indexed"
            raise RowUnreadable(Reason.changed, f"{store.address(key)}: {counts}")
        return found

    def _locate(self, key: str) -> tuple[Store, str]:
        if "://" not in key and not key.startswith("/"):
            return self._source, key
        location = addresses.parse(key)
        # One store per bucket: each has its own connections.
        if location.scheme == "file":
            root, key = "/", location.root.lstrip("/")
        else:
            root, key = f"{location.scheme}://{location.root}", location.prefix
        with self._lock:
            if root not in self._elsewhere:
                self._elsewhere[root] = Store.open(root, environment=self._environment)
            return self._elsewhere[root], key
