"""Who took an output: one small object per epoch, created once and never changed."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from afray.errors import IntegrityError
from afray.storage.canonical import canonical_json
from afray.storage.processes import Process, this_process
from afray.storage.store import Store

FOLDER = "owner"

_CLAIM_KEY = re.compile(rf"{FOLDER}/([1-9]\d*)\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who drives a job: a SelectionJob through all its attempts, or one `afray run`."""

    id: str
    """Equal for all attempts of one owner: the uid of a SelectionJob, or a fresh run id."""
    title: str
    """For people to read."""
    process: Process

    @classmethod
    def of_run(cls) -> Owner:
        """Return the owner that this process is when a person starts it."""
        return cls(id=f"run-{uuid.uuid4()}", title="afray run", process=this_process())

    @classmethod
    def of_job(cls, uid: str, title: str = "") -> Owner:
        """Return the owner that this process is as the driver of the SelectionJob with this uid."""
        return cls(id=uid, title=title or f"SelectionJob {uid}", process=this_process())

    def __str__(self) -> str:
        return f"{self.title} (host {self.process.host}, pid {self.process.pid})"


class Claim(BaseModel):
    """One `owner/<epoch>.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    owner: Owner
    attempt: int
    spec_digest: str
    taken: str
    """When, for people to read: clocks decide nothing."""
    nonce: str
    """Tells an own claim from another's after a connection broke before the store's answer."""


def claim_key(epoch: int) -> str:
    """Return where the claim of an epoch lies below the output."""
    return f"{FOLDER}/{epoch}.json"


def beat_key(epoch: int) -> str:
    """Return where the owner of an epoch shows that it lives."""
    return f"{FOLDER}/{epoch}.beat"


def newest_epoch(store: Store) -> int:
    """Return the highest epoch that was taken, 0 if none was."""
    matches = (_CLAIM_KEY.fullmatch(entry.key) for entry in store.list(FOLDER))
    return max((int(match.group(1)) for match in matches if match), default=0)


def read_claim(store: Store, epoch: int) -> Claim:
    """Return who took an epoch; raises IntegrityError if the object is damaged."""
    key = claim_key(epoch)
    try:
        return Claim.model_validate_json(store.read(key))
    except ValidationError:
        raise IntegrityError(
            f"{store.address(key)}: this is no record of an owner. If nothing runs on this output, delete the object"
        ) from None


def take(store: Store, epoch: int, claim: Claim) -> bool:
    """Create the claim of an epoch; False if another one was first."""
    if store.create(claim_key(epoch), canonical_json(claim.model_dump())):
        return True
    return read_claim(store, epoch).nonce == claim.nonce
