"""Which scan lists the rows of which kind of file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from afray.pool import parquet, tars
from afray.pool.rows import StoredFile
from afray.pool.scans import Scan
from afray.storage.store import Store


class FileScanner(Protocol):
    """Lists the rows of one file of a pool."""

    def __call__(self, source: Store, file: StoredFile, *, limit: int | None = None) -> Scan:
        """Return the rows, the first `limit` alone if it is given; raises PoolError for an unusable file."""
        ...


SCANNERS: Mapping[str, FileScanner] = {
    "parquet": parquet.scan_images,
    "embeddings": parquet.scan_vectors,
    "webdataset": tars.scan,
}
