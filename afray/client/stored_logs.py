"""Logs of drivers in a job's output: they stay when the pods are gone. Read with the user's own credentials."""

from __future__ import annotations

from collections.abc import Iterator

from afray.client.attempts import Attempt
from afray.contract.outputs import attempt_rank, log_key
from afray.storage.claims import newest_epoch, read_claim
from afray.storage.store import ObjectMissing, Store


def find_epochs(output: Store, uid: str, attempt: Attempt) -> list[int]:
    """The drivers of an attempt of the SelectionJob with this uid, oldest first; each start takes a new epoch."""
    rank = attempt_rank(attempt.stage, attempt.number)
    claims = ((epoch, read_claim(output, epoch)) for epoch in range(1, newest_epoch(output) + 1))
    return [epoch for epoch, claim in claims if claim.owner.id == uid and claim.attempt == rank]


class StoredLog:
    """One driver's log, read anew as it grows."""

    def __init__(self, output: Store, epoch: int) -> None:
        self._output, self._key = output, log_key(epoch)
        self._shown = 0
        self.uri = output.address(self._key)

    def new_lines(self, *, ended: bool) -> Iterator[str]:
        """The lines that were added; one without its end only once the log has ended."""
        try:
            text = self._output.read(self._key).decode(errors="replace")
        except ObjectMissing:  # a driver that has just begun
            return
        whole = len(text) if ended else text.rfind("\n") + 1
        yield from text[self._shown : whole].splitlines()
        self._shown = max(self._shown, whole)
