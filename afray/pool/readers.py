"""Reading the rows of one part of an index, with every fault told apart: this row's, the store's, the whole pool's."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import pyarrow as pa

from afray.errors import PoolError
from afray.pool.cells import Cells
from afray.pool.objects import Objects
from afray.pool.rows import ADDRESS_SCHEMA, Address, Pool, Reason, RowReader, RowUnreadable
from afray.pool.vectors import read_vectors
from afray.storage.store import (
    AccessDenied,
    InvalidAddress,
    ObjectChanged,
    ObjectMissing,
    Store,
    StoreRefused,
)

__all__ = ["open_rows", "read_vectors"]

_PAUSE_SECONDS = 0.5
_SECOND_TRIES = 20


def open_rows(pool: Pool, source: Store, part: pa.Table, *, environment: Mapping[str, str] | None = None) -> RowReader:
    """Return the reader of a part's images; `environment` is for the absolute addresses in a parquet pool."""
    addresses = [Address(**row) for row in part.select(ADDRESS_SCHEMA.names).to_pylist()]
    objects = Objects(source, environment)
    if pool.format != "parquet":
        return _GuardedReader(addresses, objects.read)
    cells = Cells(source, addresses)
    return _GuardedReader(addresses, lambda address: (objects if address.row_group is None else cells).read(address))


class _GuardedReader:
    """Turns faults of single objects into RowUnreadable, and lets those of the store pass."""

    def __init__(self, addresses: list[Address], fetch: Callable[[Address], bytes]) -> None:
        self._addresses, self._fetch = addresses, fetch
        self._has_read = False
        self._second_tries = _SECOND_TRIES

    def read(self, position: int) -> bytes:
        """Bytes of the row at `position` of the part: see RowReader."""
        try:
            found = self._fetch_patiently(position)
        except (ObjectMissing, InvalidAddress) as error:
            raise RowUnreadable(Reason.missing, str(error)) from error
        except ObjectChanged as error:
            raise RowUnreadable(Reason.changed, str(error)) from error
        except PoolError as error:
            raise RowUnreadable(Reason.broken, str(error)) from error
        except (AccessDenied, StoreRefused) as error:
            if not self._has_read and not self._can_read_others(position):
                raise
            raise RowUnreadable(Reason.denied, str(error)) from error
        self._has_read = True
        return found

    def _fetch_patiently(self, position: int) -> bytes:
        """Ask once more where a store that gave other rows refuses one: under load some of them do."""
        address = self._addresses[position]
        try:
            return self._fetch(address)
        except AccessDenied:
            if not self._has_read or self._second_tries <= 0:
                raise
        self._second_tries -= 1
        time.sleep(_PAUSE_SECONDS)
        return self._fetch(address)

    def _can_read_others(self, position: int) -> bool:
        """Whether one refused object is alone; if not, wrong credentials would put the whole pool into quarantine."""
        last = len(self._addresses) - 1
        for other in {0, last // 2, last} - {position}:
            try:
                self._fetch(self._addresses[other])
            except (AccessDenied, StoreRefused):
                continue
            except (ObjectMissing, ObjectChanged, InvalidAddress, PoolError):
                return True
            return True
        return False
