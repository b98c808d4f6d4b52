"""What a driver leaves in an output for others to find: its log, and which attempt of a job it was."""

from __future__ import annotations

from typing import Final

from afray.api.stages import Stage

LOG_FOLDER: Final = "logs"
SELECTED: Final = "selection.parquet"
"""The rows to label, in rank order."""
FINETUNE_FOLDER: Final = "finetune"
"""Holds checkpoints and progress; of no use once the result is committed."""
ATTEMPTS_PER_STAGE: Final = 1_000_000
"""More than a stage can have."""


def log_key(epoch: int) -> str:
    """Where the log of the driver lies that owned the output in an epoch."""
    return f"{LOG_FOLDER}/driver-{epoch}.log"


def attempt_rank(stage: Stage, attempt: int) -> int:
    """What an owner's claim calls its attempt: stages count theirs anew, a claim's grow from stage to stage."""
    return [*Stage].index(stage) * ATTEMPTS_PER_STAGE + attempt
