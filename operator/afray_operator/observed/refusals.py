"""What the API server would not do for a job, and why: from that follows what is said, and when it is tried again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final


class Hindrance(StrEnum):
    """Why an object was not written."""

    rights = "rights"
    """RBAC does not let the operator."""
    rules = "rules"
    """The API server, a webhook or a quota says no to this object."""
    trouble = "trouble"
    """Nobody could judge it: the API server or a webhook is down or overrun."""
    taken = "taken"
    """The name belongs to an object of somebody else."""
    leaving = "leaving"
    """The name belongs to an object of a deleted SelectionJob of the same name, which garbage collection takes."""

    @property
    def passes(self) -> bool:
        """Whether it is likely to be over soon, though nobody does anything about the job."""
        return self in (Hindrance.trouble, Hindrance.leaving)


SOON: Final = timedelta(seconds=10)
TRY_AGAIN: Final = timedelta(seconds=60)
"""After the API server refused to create something."""
ASK_AGAIN: Final = timedelta(minutes=5)
"""After it refused what it was only asked about: quotas, policies and rights change without any sign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What the API server said to a RayJob that it was only asked about."""

    digest: str
    """Of the manifest that was asked about."""
    at: datetime
    hindrance: Hindrance | None = None
    """None: it would take the RayJob."""
    message: str = ""

    @property
    def ask_again(self) -> datetime:
        """When another answer is likely."""
        return self.at + (SOON if self.hindrance is not None and self.hindrance.passes else ASK_AGAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An object that was not created, and when that was."""

    kind: str
    name: str
    message: str
    at: datetime
    hindrance: Hindrance = Hindrance.rules

    @property
    def wait(self) -> timedelta:
        """How long it is not worth another try."""
        return SOON if self.hindrance.passes else TRY_AGAIN

    @property
    def try_again(self) -> datetime:
        """When it is worth another try."""
        return self.at + self.wait

    def is_fresh(self, now: datetime) -> bool:
        """Whether it was so lately that another try is not worth it. A clock that was set back keeps nobody waiting."""
        return abs(now - self.at) < self.wait
