"""A store for those who only check: whatever would have to be written is a certified object that is gone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from afray.errors import IntegrityError
from afray.storage import addresses
from afray.storage.store import Store


@dataclass(frozen=True, slots=True)
class NoFence:
    """A reader owns nothing, and commits nothing."""

    epoch: int = 0

    def check(self) -> None:
        """Never in the way."""


class ReadOnlyStore(Store):
    """Reads as any store, and refuses to change anything."""

    @classmethod
    def at(cls, uri: str) -> ReadOnlyStore:
        """Return the store at `uri`."""
        return cls(addresses.parse(uri), {})

    def create(self, key: str, content: bytes | Path) -> bool:  # noqa: ARG002 - the signature is Store's
        self._refuse(key)

    def overwrite(self, key: str, content: bytes) -> None:  # noqa: ARG002 - the signature is Store's
        self._refuse(key)

    def delete(self, key: str) -> None:
        self._refuse(key)

    def _refuse(self, key: str) -> NoReturn:
        raise IntegrityError(
            f"{self.address(key)}: this object, or a source of it, is gone from a finished output. Restore it from "
            "a backup, or run the job again"
        )
