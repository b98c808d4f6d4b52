"""Logs of drivers in a job's output: they stay when the pods are gone. Read with the user's own credentials."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from afray.storage.claims import newest_epoch, read_claim
from afray.storage.store import Store

FOLDER: Final = "logs"
_PART: Final = re.compile(rf"{FOLDER}/driver-(?P<epoch>\d+)(?:\.(?P<number>\d+))?\.log")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLog:
    """One driver's log: its objects in order."""

    epoch: int
    """Of the driver: a new one for each start, so an attempt that was preempted has several."""
    keys: tuple[str, ...]


def find_logs(output: Store, uid: str, attempt: int) -> tuple[StoredLog, ...]:
    """The logs of an attempt of the SelectionJob with this uid, oldest first."""
    wanted = set(_epochs(output, uid, attempt))
    parts: dict[int, dict[int, str]] = {}
    for entry in output.list(FOLDER):
        found = _PART.fullmatch(entry.key)
        if found and (epoch := int(found["epoch"])) in wanted:
            parts.setdefault(epoch, {})[int(found["number"] or 0)] = entry.key
    return tuple(StoredLog(epoch=epoch, keys=_in_order(parts[epoch])) for epoch in sorted(parts))


def read_log(output: Store, log: StoredLog) -> str:
    """The text of a log so far."""
    return b"".join(output.read(key) for key in log.keys).decode(errors="replace")


def _epochs(output: Store, uid: str, attempt: int) -> Iterator[int]:
    for epoch in range(newest_epoch(output), 0, -1):
        claim = read_claim(output, epoch)
        if claim.owner.id == uid and claim.attempt == attempt:
            yield epoch


def _in_order(parts: Mapping[int, str]) -> tuple[str, ...]:
    return tuple(parts[number] for number in sorted(parts))
