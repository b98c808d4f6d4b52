"""The block that says how long and how often the operator tries. `afray run` does not use it."""

from __future__ import annotations

from pydantic import Field

from afray.api.block import Block

YEAR = 31_536_000


class PolicySpec(Block):
    """Attempts, deadlines and clean-up on a cluster. May be changed while the job runs."""

    backoff_limit: int = Field(3, ge=0, le=20)
    """Failed attempts of a stage that are tried again; permanent errors never are."""
    start_deadline_seconds: int = Field(1800, ge=60, le=YEAR)
    """From admission until the cluster is ready; then the attempt fails."""
    active_deadline_seconds: int | None = Field(None, ge=60, le=YEAR)
    """Active time of a stage over all attempts, waiting and suspension not counted; no limit by default."""
    stall_timeout_seconds: int = Field(900, ge=60, le=YEAR)
    """Time without progress after which an attempt fails; a heartbeat alone is not progress."""
    ttl_seconds_after_finished: int | None = Field(None, ge=0, le=YEAR)
    """Time after which a finished SelectionJob is deleted (stored results stay); never by default."""
