"""The index of a pool: every row's id, place and number, made once per output and reused by every later run.

    index/<name>/part-<n>     the rows, shard by shard
    index/<name>/manifest     what parts there are, and the digest over all rows

<name> comes from the pool's address and format and the shard size alone, so a run that resumes finds the parts of the
one before. A finished index is never listed again: an object that changed later is found out when it is read.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import time
from collections.abc import Iterator
from functools import partial

import numpy as np
import pyarrow as pa

from afray.pool import listing, order, scans
from afray.pool.formats import SCANNERS
from afray.pool.manifest import PoolIndex, load, publish
from afray.pool.naming import Ignored
from afray.pool.parts import PartWriter
from afray.pool.rows import Pool, Progress
from afray.pool.tables import Workspace
from afray.storage import addresses
from afray.storage.commits import Fence
from afray.storage.store import ObjectInfo, Store

logger = logging.getLogger(__name__)

_PROGRESS_ROWS = 1_000
_MOST_READS = 4


def silent(done: int, total: int) -> None:
    """The Progress that reports nothing."""


def build_index(
    pool: Pool, source: Store, output: Store, shard_size: int, *, fence: Fence, progress: Progress = silent
) -> PoolIndex:
    """Return the pool's index, made now, finished now, or found finished; `source` is `open_pool(pool)`.

    Raises PoolError for a pool that is empty, repeats an id or holds an unreadable file; StorageError for a location
    that cannot be read; Retryable and Fenced in passing.
    """
    workspace = Workspace(output, _name(pool, shard_size), fence)
    if index := load(workspace):
        return index
    started = time.monotonic()
    writer = PartWriter(workspace)
    fill = _number_images if pool.format == "images" else _number_rows_of_files
    ignored = fill(pool, source, writer, shard_size, progress)
    if not writer.rows:
        raise listing.empty_pool(pool, source, ignored)
    seconds = time.monotonic() - started
    logger.info(
        "indexed pool=%s rows=%d parts=%d ignored=%s seconds=%.1f",
        source.uri, writer.rows, len(writer.parts), ignored.counts, seconds,
    )  # fmt: skip
    return publish(writer, ignored, shard_size)


def _name(pool: Pool, shard_size: int) -> str:
    identity = json.dumps([addresses.parse(pool.uri).uri, pool.format, shard_size])
    return f"index/{hashlib.sha256(identity.encode()).hexdigest()[:16]}"


def _number_images(_pool: Pool, source: Store, writer: PartWriter, shard_size: int, progress: Progress) -> Ignored:
    """Number images while they are listed, with one shard in memory: keys come in the order of ids."""
    ignored = Ignored(writer.ignored)
    if writer.rows % shard_size:
        return ignored  # only the last part is short: the listing had come to its end
    images = _counted(listing.list_images(source, ignored, after=writer.last_id), writer.rows, progress)
    while shard := list(itertools.islice(images, shard_size)):
        writer.append(order.image_addresses(shard), ignored)
    return ignored


def _counted(images: Iterator[ObjectInfo], count: int, progress: Progress) -> Iterator[ObjectInfo]:
    progress(count, 0)
    for image in images:
        count += 1
        if count % _PROGRESS_ROWS == 0:
            progress(count, 0)
        yield image
    progress(count, 0)


def _number_rows_of_files(
    pool: Pool, source: Store, writer: PartWriter, shard_size: int, progress: Progress
) -> Ignored:
    """Number the rows of parquet files or tars, with all ids in memory: no file knows their order alone."""
    catalogue = scans.gather(
        writer.workspace,
        partial(listing.list_files, pool, source),
        partial(SCANNERS[pool.format], source),
        batch_rows=shard_size,
        progress=progress,
    )
    if not catalogue.count:
        return catalogue.ignored
    rows = order.sorted_rows(catalogue, source)
    for start in range(writer.rows, len(rows), shard_size):
        part = rows.slice(start, shard_size)
        writer.append(order.addresses(part, catalogue.files), catalogue.ignored)
    _warn_of_scattered_rows(source, rows, shard_size)
    return catalogue.ignored


def _warn_of_scattered_rows(source: Store, rows: pa.Table, shard_size: int) -> None:
    """Say so if many shards have rows in one row group: it is then read once for each."""
    if "row_group" not in rows.schema.names:
        return
    group = np.asarray(rows["file"]).astype(np.int64) << 32 | np.asarray(rows["row_group"])
    shards = range(0, len(group), shard_size)
    groups = len(np.unique(group))
    reads = sum(len(np.unique(group[start : start + shard_size])) for start in shards) / groups
    if reads <= _MOST_READS:
        return
    # Rows in order meet each group in one stretch: then it is the size that makes many shards share a group.
    stretches = 1 + np.count_nonzero(np.diff(group))
    if stretches == groups:
        cause = f"it holds {len(group) / groups:,.0f} rows and a shard {shard_size:,}"
        remedy = "Write row groups of about a shard, sorted by id, or raise embedding.shardSize"
    else:
        cause, remedy = "its rows are scattered over shards", "Sort the files by id to read each once or twice"
    logger.warning("%s: each row group will be read %.0f times, because %s. %s", source.uri, reads, cause, remedy)
