"""Signs of life of an owner: a small object that changes while it lives.

Only change counts, judged by the watcher's own clock, so clocks of different machines are never compared.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, ValidationError

from afray.errors import AfrayError
from afray.storage.canonical import canonical_json
from afray.storage.store import ObjectMissing, Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How often an owner shows life, and how long others wait for it."""

    beat_seconds: float = 10.0
    watch_seconds: float = 60.0
    """Several beats long: a store may be slow to take one."""
    poll_seconds: float = 2.0


class Beat(BaseModel):
    """The content of the object."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    count: int
    released: bool
    """The owner ended and writes no more."""
    at: str
    """For people to read."""


class Beats:
    """Writes beats from a daemon thread; a store that cannot take one is no reason to stop working."""

    def __init__(self, store: Store, key: str, timing: Timing) -> None:
        self._store, self._key, self._timing = store, key, timing
        self._count = 0
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Beat now, and then every `beat_seconds`."""
        self._thread = threading.Thread(target=self._run, name="afray-beats", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Beat a last time, saying that the owner let go."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        self._write(released=True)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._write(released=False)
            self._stopped.wait(self._timing.beat_seconds)

    def _write(self, *, released: bool) -> None:
        self._count += 1
        beat = Beat(count=self._count, released=released, at=datetime.now(UTC).isoformat(timespec="seconds"))
        try:
            self._store.overwrite(self._key, canonical_json(beat.model_dump()))
        except AfrayError as error:
            logger.warning("no beat written, the work goes on: %s", error)


def read_beat(store: Store, key: str) -> Beat | None:
    """Return the last beat, None if there is none that can be read as one."""
    try:
        return Beat.model_validate_json(store.read(key))
    except (ObjectMissing, ValidationError):
        return None


def is_beating(store: Store, key: str, timing: Timing) -> bool:
    """Watch an owner's beat until it moves (True), lets go (False), or `watch_seconds` are over (False)."""
    first = beat = read_beat(store, key)
    deadline = time.monotonic() + timing.watch_seconds
    while beat == first and time.monotonic() < deadline:
        time.sleep(timing.poll_seconds)
        beat = read_beat(store, key)
    return beat != first and not (beat and beat.released)
