"""One owner of an output at a time, over nothing but create-if-absent.

    owner/<epoch>.json    who took the output, created once; the highest epoch owns it
    owner/<epoch>.beat    rewritten every few seconds while that owner lives, and a last time when it lets go

    newest claim            mine: same owner            another owner
    -----------------       ------------------------    ------------------------------
    none, or released       take the next epoch         take the next epoch
    ended on this host      take, unless my attempt     take
    alive on this host        is older: then stop       refuse
    elsewhere                                           watch the beat: moved? refuse

Another spec is refused for good once a selection is committed. Before that it is treated as any other run: indexes and
embeddings are known by what they were made of, so it takes from them what is its own.

Epochs are consecutive, so one look at the next number tells an owner that it was overtaken.
"""

from __future__ import annotations

import logging
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from afray.errors import Fenced, OwnershipError, StorageError
from afray.storage.beats import Beats, Timing, is_beating, read_beat
from afray.storage.claims import FOLDER, Claim, Owner, beat_key, claim_key, newest_epoch, read_claim, take
from afray.storage.commits import SUFFIX
from afray.storage.processes import Liveness, liveness
from afray.storage.store import Store, StoreRefused

__all__ = ["SELECTION", "EpochFence", "Owner", "Ownership", "Timing", "probe_conditional_create"]

SELECTION = "selection/rows"
"""The commit that binds an output to its spec: all that comes later depends on it."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EpochFence:
    """The right of one epoch to commit; travels to every worker."""

    store: Store
    """The output's."""
    epoch: int

    def check(self) -> None:
        """Raise Fenced if a newer driver owns the output."""
        if self.store.head(claim_key(self.epoch + 1)) is not None:
            raise Fenced(
                f"{self.store.uri}: a newer driver took this output over (epoch {self.epoch + 1}, "
                f"this one is {self.epoch}). This one stops; nothing that it committed is lost"
            )


class Ownership:
    """The output while this process owns it; used as a context, it beats inside and lets go at the end."""

    def __init__(self, fence: EpochFence, beats: Beats) -> None:
        self.fence, self._beats = fence, beats

    @classmethod
    def acquire(
        cls, store: Store, owner: Owner, spec_digest: str, *, attempt: int = 0, timing: Timing | None = None
    ) -> Ownership:
        """Take the next epoch of the output `store`, as the table above says.

        Raises OwnershipError if the output has a selection of another spec or a living owner, Fenced if a newer attempt
        of the same owner has it. Watching a beat takes up to `timing.watch_seconds`.
        """
        timing = timing or Timing()
        taken = datetime.now(UTC).isoformat(timespec="seconds")
        claim = Claim(owner=owner, attempt=attempt, spec_digest=spec_digest, taken=taken, nonce=uuid.uuid4().hex)
        while True:
            epoch = newest_epoch(store)
            if epoch:
                _contest(store, epoch, claim, timing)
            if take(store, epoch + 1, claim):
                return cls(EpochFence(store, epoch + 1), Beats(store, beat_key(epoch + 1), timing))

    @property
    def epoch(self) -> int:
        """The number of this ownership; higher ones are newer."""
        return self.fence.epoch

    def check(self) -> None:
        """Raise Fenced if a newer driver owns the output."""
        self.fence.check()

    def start_beating(self) -> None:
        """Show that this owner lives, from a thread of its own."""
        self._beats.start()

    def close(self) -> None:
        """Stop beating and let go: the next run takes the output over at once."""
        self._beats.stop()

    def __enter__(self) -> Self:
        self.start_beating()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def probe_conditional_create(store: Store) -> None:
    """Make sure that the store really refuses to create an object twice; all exactness of an output rests on it.

    Raises StoreRefused if it does not.
    """
    key = f"{FOLDER}/probe-{uuid.uuid4().hex}"
    store.create(key, b"first\n")
    created_twice = store.create(key, b"second\n")
    # Without the right to delete, a probe of some bytes stays.
    with suppress(StorageError):
        store.delete(key)
    if created_twice:
        raise StoreRefused(
            store.address(key),
            "the store created an object that existed (it ignores If-None-Match): two jobs could overwrite each other",
            "Use a store or a version of it with conditional writes for output.uri",
        )


def _contest(store: Store, epoch: int, mine: Claim, timing: Timing) -> None:
    """Return if the newest claim may be overtaken; raises OwnershipError or Fenced if not."""
    theirs = read_claim(store, epoch)
    if theirs.spec_digest != mine.spec_digest and store.head(SELECTION + SUFFIX) is not None:
        raise OwnershipError(
            f"{store.uri}: this output belongs to another spec, whose selection it holds (digest "
            f"{theirs.spec_digest[:12]}, this one has {mine.spec_digest[:12]}), taken by {theirs.owner}. "
            "Set output.uri to an empty place"
        )
    if theirs.owner.id == mine.owner.id:
        _require_no_newer_attempt(store, theirs, mine)
    elif _lives(store, epoch, theirs, timing):
        raise OwnershipError(
            f"{store.uri}: {theirs.owner} is working on this output since {theirs.taken} (epoch {epoch}). "
            "Wait for it or stop it, or set output.uri to another place"
        )


def _require_no_newer_attempt(store: Store, theirs: Claim, mine: Claim) -> None:
    if mine.attempt < theirs.attempt:
        raise Fenced(
            f"{store.uri}: a newer attempt of the same job has this output ({theirs.owner}, since {theirs.taken}); "
            f"{mine.owner} stops"
        )


def _lives(store: Store, epoch: int, claim: Claim, timing: Timing) -> bool:
    beat = read_beat(store, beat_key(epoch))
    if beat is not None and beat.released:
        return False
    match liveness(claim.owner.process):
        case Liveness.ALIVE:
            return True
        case Liveness.ENDED:
            return False
        case Liveness.UNKNOWN:
            logger.warning("waiting up to %g s for a sign of life of %s", timing.watch_seconds, claim.owner)
            return is_beating(store, beat_key(epoch), timing)
