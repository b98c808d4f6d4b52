"""One job as it changes, through lost connections, restarts of the API server and expired history."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from afray.client.faults import HistoryExpired, JobMissing, ServerUnreachable
from afray.client.jobs import Change
from afray.client.records import JobRecord

TICK_SECONDS: Final = 10
"""A watch is asked anew this often, so the caller can look at its clock."""
PATIENCE_SECONDS: Final = 600.0
"""How long a server that did answer may be silent before we give up."""
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 15.0


class Watched(Protocol):
    """Where jobs are: `Jobs`."""

    def get(self, name: str) -> JobRecord:
        """One job; raises JobMissing, ServerUnreachable."""
        ...

    def watch(self, name: str, version: str, seconds: int) -> Iterator[Change]:
        """Changes after a version, for so many seconds; raises HistoryExpired, ServerUnreachable."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """The job is like this now."""

    record: JobRecord


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nothing happened for a while."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is lost, and is being made anew."""

    reason: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The job was deleted."""


Sighting = Seen | Quiet | Lost | Gone


def follow(
    jobs: Watched,
    name: str,
    *,
    uid: str = "",
    seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Sighting]:
    """Yield what is seen of a job, the present first, until it is gone or the time is over (None: without end).

    With `uid` it is exactly that job; without, whoever has the name now, and what `jobs.get` says of none is raised.
    Raises ServerUnreachable after PATIENCE_SECONDS without an answer.
    """
    place, silence = _Place(jobs, name, uid), _Silence(clock)
    ends_at = math.inf if seconds is None else clock() + seconds
    if not uid:
        yield Seen(place.look())
    try:
        while (left := ends_at - clock()) > 0:
            try:
                for sighting in place.follow(math.ceil(min(TICK_SECONDS, left))):
                    silence.end()
                    yield sighting
                silence.end()
                yield Quiet()
            except HistoryExpired:
                place.forget()
                sleep(_FIRST_PAUSE)
            except ServerUnreachable as error:
                if silence.too_long():
                    raise
                yield Lost(str(error))
                sleep(min(silence.next_pause(), left))
    except JobMissing:
        yield Gone()


class _Place:
    """How far one job's history was read."""

    def __init__(self, jobs: Watched, name: str, uid: str) -> None:
        self._jobs, self._name, self._uid = jobs, name, uid
        self._version = ""

    def forget(self) -> None:
        """Begin with the present again: the server no longer knows what came in between."""
        self._version = ""

    def look(self) -> JobRecord:
        """The present; raises JobMissing if there is no job, or only another one of that name."""
        record = self._jobs.get(self._name)
        if self._uid not in ("", record.uid):
            raise JobMissing(self._name, record.namespace)
        self._uid, self._version = record.uid, record.version
        return record

    def follow(self, seconds: int) -> Iterator[Seen]:
        """What happens within a time; raises JobMissing when the job is deleted."""
        if not self._version:
            yield Seen(self.look())
        for change in self._jobs.watch(self._name, self._version, seconds):
            self._version = change.version
            if change.record is not None and change.deleted:
                raise JobMissing(self._name, change.record.namespace)
            if change.record is not None:
                yield Seen(change.record)


class _Silence:
    """For how long a server has not answered, and when to ask it again."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.end()

    def end(self) -> None:
        """It answered."""
        self._since: float | None = None
        self._pause = _FIRST_PAUSE

    def too_long(self) -> bool:
        """Whether to give up."""
        now = self._clock()
        self._since = now if self._since is None else self._since
        return now - self._since > PATIENCE_SECONDS

    def next_pause(self) -> float:
        """Seconds, twice as many each time."""
        pause, self._pause = self._pause, min(2 * self._pause, _LONGEST_PAUSE)
        return pause
