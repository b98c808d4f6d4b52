"""Names of everything that a SelectionJob owns in Kubernetes: they follow from its own, so a restart finds them."""

from __future__ import annotations

import re
from typing import Final

from afray.api.job import GROUP, PLURAL, VERSION
from afray.api.stages import Stage

ENTRYPOINT: Final = "python -m afray.driver"
"""Constant: KubeRay pastes it into a shell, so no text of a user may be in it."""

JOB_LABEL: Final = f"{GROUP}/job"
"""On everything that belongs to a SelectionJob: the job's name."""
STAGE_LABEL: Final = f"{GROUP}/stage"
ATTEMPT_LABEL: Final = f"{GROUP}/attempt"
QUEUE_LABEL: Final = "kueue.x-k8s.io/queue-name"
PRIORITY_LABEL: Final = "kueue.x-k8s.io/priority-class"

_RAYJOB_NAME: Final = re.compile(rf"^(?P<job>.+)-[{''.join(stage[0] for stage in Stage)}][1-9][0-9]*$")


def rayjob_name(job: str, stage: Stage, attempt: int) -> str:
    """Such as welds-s1. At most 47 characters (KubeRay's limit) for a job's name of at most 40."""
    return f"{job}-{stage[0]}{attempt}"


def job_of_rayjob(name: str) -> str | None:
    """The job whose RayJob has such a name, None for a name that `rayjob_name` does not give."""
    found = _RAYJOB_NAME.match(name)
    return found["job"] if found else None


def progress_name(job: str) -> str:
    """ConfigMap that the driver writes and the operator reads; its Role and RoleBinding are named alike."""
    return f"{job}-progress"


def account_name(job: str) -> str:
    """ServiceAccount of the pods, where the spec names none."""
    return f"{job}-driver"


__all__ = [
    "ATTEMPT_LABEL",
    "ENTRYPOINT",
    "GROUP",
    "JOB_LABEL",
    "PLURAL",
    "PRIORITY_LABEL",
    "QUEUE_LABEL",
    "STAGE_LABEL",
    "VERSION",
    "Stage",
    "account_name",
    "job_of_rayjob",
    "progress_name",
    "rayjob_name",
]
