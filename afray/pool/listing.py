"""The objects of a pool, in the order of their keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from afray.errors import PoolError, StorageError
from afray.pool import naming
from afray.pool.naming import Ignored
from afray.pool.rows import Pool, StoredFile
from afray.storage import addresses
from afray.storage.store import ObjectInfo, Store, locate

_FILE_SUFFIXES = {
    "parquet": naming.PARQUET_SUFFIXES,
    "embeddings": naming.PARQUET_SUFFIXES,
    "webdataset": naming.TAR_SUFFIXES,
}


def open_pool(pool: Pool, *, environment: Mapping[str, str] | None = None) -> Store:
    """Return the store of a pool: the folder that `uri` names, or the one around a single parquet file or tar."""
    if _names_file(pool):
        store, key = locate(pool.uri, environment=environment)
        if store.head(key):
            return store
    return Store.open(pool.uri, environment=environment)


def list_images(source: Store, ignored: Ignored, *, after: str = "") -> Iterator[ObjectInfo]:
    """Yield the image objects above the key `after`, one page of the listing in memory at a time."""
    for entry in _in_order(source, source.list(after=after)):
        if naming.is_hidden(entry.key):
            ignored.add_kind(naming.HIDDEN)
        elif naming.suffix(entry.key) not in naming.IMAGE_SUFFIXES:
            ignored.add_name(entry.key)
        else:
            yield entry


def list_files(pool: Pool, source: Store, ignored: Ignored) -> Iterator[StoredFile]:
    """Yield the files that hold the rows of a parquet, embeddings or webdataset pool."""
    entries = source.list() if _is_folder(pool, source) else _single_file(pool, source)
    # Writers of tables leave _SUCCESS, _metadata and _temporary/ beside the data.
    marks = "._" if pool.format != "webdataset" else "."
    for entry in _in_order(source, entries):
        if naming.is_hidden(entry.key, marks=marks):
            ignored.add_kind(naming.HIDDEN)
        elif naming.suffix(entry.key) in _FILE_SUFFIXES[pool.format]:
            yield StoredFile(entry.key, entry.size, entry.etag)
        elif pool.format == "webdataset" and entry.key.lower().endswith(naming.COMPRESSED_TAR_ENDINGS):
            raise PoolError(
                f"{source.address(entry.key)}: rows of a compressed tar cannot be read by range. Unpack it to a "
                "plain .tar (images gain nothing from compression), or move it out of the pool"
            )
        else:
            ignored.add_name(entry.key)


def empty_pool(pool: Pool, source: Store, ignored: Ignored) -> PoolError:
    """Return the error for a pool without a row."""
    return PoolError(
        f"empty pool: no rows of format {pool.format} at {source.uri} (ignored: {ignored}). "
        "Check spec.pool.uri and spec.pool.format"
    )


def _names_file(pool: Pool) -> bool:
    return naming.suffix(pool.uri) in _FILE_SUFFIXES.get(pool.format, ())


def _is_folder(pool: Pool, source: Store) -> bool:
    return not _names_file(pool) or source.uri == addresses.parse(pool.uri).uri


def _single_file(pool: Pool, source: Store) -> Iterator[ObjectInfo]:
    _, key = addresses.split(pool.uri)
    if entry := source.head(key):
        yield entry


def _in_order(source: Store, entries: Iterator[ObjectInfo]) -> Iterator[ObjectInfo]:
    """Pass the entries on; raises StorageError if a store does not list in order, for then no resume would be whole."""
    last = b""
    for entry in entries:
        key = entry.key.encode()
        if key <= last:
            raise StorageError(
                f"{source.uri}: the store lists {entry.key!r} after {last.decode()!r}, not in the order of bytes, "
                "so a listing could not be resumed. Use a general-purpose bucket, or copy the pool to one"
            )
        last = key
        yield entry
