"""From what a driver was told to how it runs: whose output it is, in which pods, with how much patience."""

from __future__ import annotations

import logging
from importlib import metadata

from afray import __version__
from afray.contract.environment import DriverEnvironment
from afray.contract.outputs import attempt_rank
from afray.driver.on_cluster.groups import worker_groups
from afray.driver.workspace import RunSettings
from afray.errors import EnvironmentFault
from afray.storage.ownership import Owner

log = logging.getLogger(__name__)


def check_versions(environment: DriverEnvironment) -> None:
    """Raises EnvironmentFault if the image cannot run the job; another operator of a known contract is no reason."""
    runtime, found = environment.job.spec.runtime, metadata.version("ray")
    if runtime is not None and runtime.ray_version != found:
        raise EnvironmentFault(
            f"spec.runtime.rayVersion: {runtime.ray_version}, but the image has Ray {found}. Correct rayVersion, or "
            "use an image with that version"
        )
    if environment.operator != __version__:
        log.warning(
            "the operator is afray %s, this image has afray %s; they understand each other, so the job goes on",
            environment.operator or "of unknown version",
            __version__,
        )


def run_settings(environment: DriverEnvironment) -> RunSettings:
    """How to run the stage. Raises EnvironmentFault for a spec that names no pods."""
    job, stage = environment.job, environment.stage
    if job.spec.cluster is None:
        raise EnvironmentFault(
            "spec.cluster: is missing, so there are no pods to work in. On one machine use: afray run"
        )
    title = f"SelectionJob {job.metadata.name}, attempt {environment.attempt} of {stage}"
    return RunSettings(
        groups=worker_groups(job, stage),
        patience_seconds=job.spec.policy.start_deadline_seconds,
        lease_seconds=environment.lease_seconds,
        queue=environment.queue,
        owner=Owner.of_job(environment.job_uid, title),
        attempt=attempt_rank(stage, environment.attempt),
    )
