"""Owners of outputs, on this machine and elsewhere, and times short enough for tests."""

from __future__ import annotations

from dataclasses import replace

from afray.storage.beats import Timing
from afray.storage.claims import Owner

QUICK = Timing(beat_seconds=0.05, watch_seconds=0.6, poll_seconds=0.05)
NEVER_WAITING = Timing(beat_seconds=10, watch_seconds=600, poll_seconds=600)
"""Whoever watches a beat with it does not come back within a test."""


def owner_here() -> Owner:
    """Return a run of this very process."""
    return Owner.of_run()


def owner_elsewhere(uid: str = "uid-elsewhere") -> Owner:
    """Return a job whose driver runs on a machine that nothing is known about."""
    owner = Owner.of_job(uid)
    return replace(owner, process=replace(owner.process, host="node-7", space="another boot", pid=1))


def owner_ended() -> Owner:
    """Return a run on this machine whose process is no more, and whose pid another one has now."""
    owner = Owner.of_run()
    return replace(owner, process=replace(owner.process, started="1"))
