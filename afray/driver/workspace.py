"""What every stage of a run shares: the job, its stores, its place in the order of owners, and a crew on demand."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from afray.api.digest import spec_digest
from afray.api.job import SelectionJob
from afray.contract.metrics import JobLabels
from afray.driver.logbook import logging_to, noting
from afray.driver.progress import Display
from afray.driver.stages import Stages
from afray.runtime.meters import Meter, RayMeter
from afray.runtime.slots import Slot, WorkerGroup
from afray.storage.commits import Fence
from afray.storage.ownership import Owner, Ownership, probe_conditional_create
from afray.storage.store import Store

if TYPE_CHECKING:
    from afray.runtime.crew import Crew

SCRATCH = "afray-scratch-"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How a job is run here; nothing in it changes a result."""

    workers: int | None = None
    """Ray workers on this machine; None: as many as it has room for."""
    groups: tuple[WorkerGroup, ...] = ()
    """The pods to work in; none: this machine."""
    patience_seconds: float = 1800.0
    """How long to wait until they are there."""
    lease_seconds: float = 300.0
    queue: str = ""
    """Kueue's queue that the job went through, for those who count by team; "" for none."""
    owner: Owner = field(default_factory=Owner.of_run)
    attempt: int = 0
    """Of one owner's drivers, the one with the higher number has the output."""


class Workspace:
    """One run's surroundings; use it through `opened`."""

    def __init__(
        self,
        job: SelectionJob,
        settings: RunSettings,
        output: Store,
        fence: Fence,
        stages: Stages,
        exits: ExitStack,
        *,
        log_uri: str = "",
    ) -> None:
        self.job, self.settings, self.output, self.fence, self.stages = job, settings, output, fence, stages
        self.spec_digest = spec_digest(job)
        self.log_uri = log_uri
        self._exits = exits

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """Room for workers: that of the job's pods, else what this machine has."""
        if self.settings.groups:
            return tuple(slot for group in self.settings.groups for slot in group.slots)
        from afray.driver.machine import local_slots

        return local_slots(self.settings.workers)

    @property
    def meter(self) -> Meter:
        """Where the run is counted."""
        return self.stages.meter

    @property
    def has_gpus(self) -> bool:
        """Whether there are workers that were given a GPU: then they do what needs one, and nobody else does."""
        return any(slot.gpus for slot in self.slots)

    @cached_property
    def ray(self) -> ExitStack:
        """A Ray session until the run ends, and what must end before it."""
        from afray.runtime.session import ray_session

        self._exits.enter_context(ray_session(len(self.slots)))
        if self.settings.groups:
            self._await_pods(self.settings.groups)
        return self._exits.enter_context(ExitStack())

    def _await_pods(self, groups: tuple[WorkerGroup, ...]) -> None:
        from afray.runtime.nodes import await_pods

        pods = sum(group.pods for group in groups)
        with self.stages.stage("workers", total=pods, unit="pods") as (bar, _):
            await_pods(
                groups,
                patience_seconds=self.settings.patience_seconds,
                tell=lambda joined: bar.update(joined, pods, f"waiting for workers {joined}/{pods}"),
            )
            bar.update(pods, pods)

    @cached_property
    def crew(self) -> Crew:
        """The workers, started on first use: a run that finds all its work done needs none."""
        from afray.runtime.crew import Crew

        return self.ray.enter_context(Crew(self.slots, lease_seconds=self.settings.lease_seconds, meter=self.meter))

    def release_crew(self) -> None:
        """Let the workers go, so that what they held is free for others; the next use of `crew` starts new ones."""
        self.ray.close()
        self.__dict__.pop("crew", None)

    @cached_property
    def scratch(self) -> str:
        """A folder on this node's disk that ends with the run."""
        _sweep_scratch()
        folder = tempfile.mkdtemp(prefix=scratch_prefix())
        self._exits.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder


def _labels(job: SelectionJob, settings: RunSettings) -> JobLabels:
    metadata = job.metadata
    return JobLabels(namespace=metadata.namespace or "", name=metadata.name, queue=settings.queue)


def scratch_prefix() -> str:
    """The name of a folder of this process begins so: what is left of it when it was killed is found by that."""
    return f"{SCRATCH}{os.getpid()}-"


def _sweep_scratch() -> None:
    """Remove what runs left behind that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{SCRATCH}*"):
        pid = folder.name.removeprefix(SCRATCH).split("-")[0]
        if pid.isdecimal() and not Path("/proc", pid).exists() and Path("/proc/self").exists():
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def opened(
    job: SelectionJob, settings: RunSettings, display: Display, *, environment: Mapping[str, str] | None = None
) -> Iterator[Workspace]:
    """Take the output over and give a run its surroundings; lets go of everything at the end.

    Raises OwnershipError, Fenced and StorageError before anything is written.
    """
    output = Store.open(job.spec.output.uri, environment=environment)
    with ExitStack() as exits:
        exits.enter_context(noting(display))
        probe_conditional_create(output)
        ownership = Ownership.acquire(output, settings.owner, spec_digest(job), attempt=settings.attempt)
        exits.enter_context(ownership)
        logbook = exits.enter_context(logging_to(output, ownership.epoch))
        stages = Stages(display, logbook.save, RayMeter(_labels(job, settings)))
        yield Workspace(job, settings, output, ownership.fence, stages, exits, log_uri=logbook.uri)
