"""A stored object as a seekable file, so that libraries made for files read tars and parquet without a download."""

from __future__ import annotations

import io

from afray.pool.rows import StoredFile
from afray.storage.store import Store


class RangeFile(io.RawIOBase):
    """Read-only file over range requests of one object, for one thread at a time.

    Small reads are served from a window of `window` bytes that is fetched at once; larger ones go straight through.
    Raises ObjectChanged as soon as the object is not the one that was listed.
    """

    def __init__(self, store: Store, file: StoredFile, *, window: int) -> None:
        super().__init__()
        self._store, self._file, self._window_bytes = store, file, window
        self._position = 0
        self._window_start, self._window = 0, b""

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Position of the next byte to be read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position, which may lie behind the end."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._file.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next `size` bytes, fewer at the end of the object."""
        left = max(0, self._file.size - self._position)
        wanted = left if size is None or size < 0 else min(size, left)
        found = self._fetch(self._position, wanted) if wanted else b""
        self._position += len(found)
        return found

    def _fetch(self, start: int, length: int) -> bytes:
        if length >= self._window_bytes:
            return self._request(start, length)
        skipped = start - self._window_start
        if not 0 <= skipped <= len(self._window) - length:
            self._window_start, skipped = start, 0
            self._window = self._request(start, self._window_bytes)
        return self._window[skipped : skipped + length]

    def _request(self, start: int, length: int) -> bytes:
        length = min(length, self._file.size - start)
        return self._store.read_range(self._file.key, start, length, etag=self._file.etag)
