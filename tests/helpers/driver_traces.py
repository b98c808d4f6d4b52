"""What drivers of a SelectionJob leave in an output, left by the very code that drivers run."""

from __future__ import annotations

import logging

from afray.api.stages import Stage
from afray.contract.outputs import attempt_rank
from afray.driver.logbook import logging_to
from afray.storage.ownership import Owner, Ownership
from afray.storage.store import Store


def leave_log(output: Store, *lines: str, uid: str = "uid-1", stage: Stage = Stage.select, attempt: int = 1) -> int:
    """Own the output for a moment, log some lines, and let go; return the epoch."""
    owner, rank = Owner.of_job(uid), attempt_rank(stage, attempt)
    with Ownership.acquire(output, owner, "spec", attempt=rank) as ownership, logging_to(output, ownership.epoch):
        for line in lines:
            logging.getLogger("afray.test").info(line)
        return ownership.epoch
