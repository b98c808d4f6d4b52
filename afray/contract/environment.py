"""What a driver is told by its environment. The operator writes it, `python -m afray.driver` reads it.

The spec travels without what only Kubernetes needs: no credentials, no pod templates.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from afray import __version__
from afray.api.job import SelectionJob
from afray.api.loading import load_object
from afray.api.problems import show
from afray.api.rules import Target
from afray.contract.names import Stage
from afray.errors import EnvironmentFault

SPEC: Final = "SELECTION_SPEC"
ATTEMPT: Final = "SELECTION_ATTEMPT"
JOB_UID: Final = "SELECTION_JOB_UID"
STAGE: Final = "SELECTION_STAGE"
PROGRESS: Final = "SELECTION_PROGRESS"
LEASE_SECONDS: Final = "SELECTION_LEASE_SECONDS"
QUEUE: Final = "SELECTION_QUEUE"

SPEC_VERSION: Final = 1
"""Version of the envelope around the spec; a driver runs its own and the one before."""
LONGEST_LEASE_SECONDS: Final = 300
LONGEST_NUMBER: Final = 6
"""Digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Whose turn it is: what a driver must know to say why it cannot read the rest."""

    stage: Stage
    attempt: int
    progress: str
    """Name of the ConfigMap to write, "" for none."""

    @classmethod
    def from_variables(cls, variables: Mapping[str, str]) -> Turn:
        """Raises EnvironmentFault naming the variable that is not there, or wrong."""
        return cls(
            stage=_stage(_required(variables, STAGE)),
            attempt=_count(variables, ATTEMPT),
            progress=variables.get(PROGRESS, ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverEnvironment:
    """One driver's task. `progress` names the ConfigMap to write, "" for none; `operator` is the operator's version.

    `queue` is Kueue's, "" for none and from operators that do not say.
    """

    job: SelectionJob
    attempt: int
    job_uid: str
    stage: Stage
    progress: str
    lease_seconds: int
    operator: str
    queue: str = ""

    def to_variables(self) -> dict[str, str]:
        """The variables that say this."""
        envelope = {"version": SPEC_VERSION, "operator": self.operator, "job": travelling(self.job)}
        return {
            SPEC: json.dumps(envelope, ensure_ascii=False, separators=(",", ":"), sort_keys=True),
            ATTEMPT: str(self.attempt),
            JOB_UID: self.job_uid,
            STAGE: self.stage,
            PROGRESS: self.progress,
            LEASE_SECONDS: str(self.lease_seconds),
            QUEUE: self.queue,
        }

    @classmethod
    def from_variables(cls, variables: Mapping[str, str]) -> DriverEnvironment:
        """Read what `to_variables` wrote.

        Raises EnvironmentFault naming the variable, and InvalidManifest if the spec breaks a rule.
        """
        turn = Turn.from_variables(variables)
        envelope = _envelope(_required(variables, SPEC))
        return cls(
            job=load_object(envelope.get("job"), SPEC, target=Target.run),
            attempt=turn.attempt,
            job_uid=_required(variables, JOB_UID),
            stage=turn.stage,
            progress=turn.progress,
            lease_seconds=_count(variables, LEASE_SECONDS),
            operator=str(envelope.get("operator", "")),
            queue=variables.get(QUEUE, ""),
        )


def lease_seconds(stall_timeout_seconds: int) -> int:
    """How long a worker may be silent: a third of what stalls the job, so a lost lease is given again in time."""
    return min(LONGEST_LEASE_SECONDS, stall_timeout_seconds // 3)


def travelling(job: SelectionJob) -> JsonValue:
    """The manifest without credentials, their references, pod templates and labels of the object."""
    spec = job.spec
    runtime = spec.runtime and spec.runtime.model_copy(update={"env": (), "env_from": (), "image_pull_secrets": ()})
    cluster = spec.cluster and spec.cluster.model_copy(
        update={
            "head": spec.cluster.head.model_copy(update={"template": {}}),
            "workers": tuple(group.model_copy(update={"template": {}}) for group in spec.cluster.workers),
        }
    )
    metadata = job.metadata.model_copy(update={"labels": {}, "annotations": {}})
    bare = spec.model_copy(update={"runtime": runtime, "cluster": cluster})
    return job.model_copy(update={"metadata": metadata, "spec": bare}).to_manifest()


def _envelope(text: str) -> dict[str, JsonValue]:
    try:
        envelope = json.loads(text)
    except ValueError as error:
        raise EnvironmentFault(f"{SPEC} is not JSON ({error}). Let the operator start the driver") from None
    version = envelope.get("version") if isinstance(envelope, dict) else None
    if not isinstance(envelope, dict) or version is True or version != SPEC_VERSION:
        raise EnvironmentFault(
            f"{SPEC} has version {show(version)}, this image (afray {__version__}) reads {SPEC_VERSION}. Use an image "
            "whose afray version is the operator's, or the one before"
        )
    return envelope


def _required(variables: Mapping[str, str], name: str) -> str:
    if not variables.get(name):
        raise EnvironmentFault(f"{name} is not set. It comes from the operator; on your own machine use: afray run")
    return variables[name]


def _count(variables: Mapping[str, str], name: str) -> int:
    text = _required(variables, name)
    if not (text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER) or int(text) < 1:
        raise EnvironmentFault(f"{name} is {show(text)}, not a number from 1. Let the operator start the driver")
    return int(text)


def _stage(text: str) -> Stage:
    try:
        return Stage(text)
    except ValueError:
        known = ", ".join(Stage)
        raise EnvironmentFault(
            f"{STAGE} is {show(text)}, not one of {known}. Let the operator start the driver"
        ) from None
