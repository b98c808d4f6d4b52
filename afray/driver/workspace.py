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
from afray.driver.logbook import logging_to, noting
from afray.driver.progress import Display, Stages
from afray.storage.commits import Fence
from afray.storage.ownership import Owner, Ownership, probe_conditional_create
from afray.storage.store import Store

if TYPE_CHECKING:
    from afray.driver.machine import Machine
    from afray.runtime.crew import Crew

SCRATCH = "afray-scratch-"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How a job is run here; nothing in it changes a result."""

    workers: int | None = None
    """Ray workers; None: as many as the machine has room for."""
    lease_seconds: float = 300.0
    owner: Owner = field(default_factory=Owner.of_run)
    attempt: int = 0


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
    ) -> None:
        self.job, self.settings, self.output, self.fence, self.stages = job, settings, output, fence, stages
        self.spec_digest = spec_digest(job)
        self._exits = exits

    @cached_property
    def machine(self) -> Machine:
        """What there is to work with."""
        from afray.driver.machine import find_machine

        return find_machine(self.settings.workers)

    @cached_property
    def ray(self) -> ExitStack:
        """A Ray session until the run ends, and what must end before it."""
        from afray.runtime.session import ray_session

        self._exits.enter_context(ray_session(self.machine.workers))
        return self._exits.enter_context(ExitStack())

    @cached_property
    def crew(self) -> Crew:
        """The workers, started on first use: a run that finds all its work done needs none."""
        from afray.runtime.crew import Crew, Placement

        placement = Placement(gpus=1.0 if self.machine.has_gpus else 0.0)
        lease = self.settings.lease_seconds
        return self.ray.enter_context(Crew(self.machine.workers, placement=placement, lease_seconds=lease))

    def release_crew(self) -> None:
        """Let the workers go, so that what they held is free for others; the next use of `crew` starts new ones."""
        self.ray.close()
        self.__dict__.pop("crew", None)

    @cached_property
    def scratch(self) -> str:
        """A folder on this node's disk that ends with the run."""
        _sweep_scratch()
        folder = tempfile.mkdtemp(prefix=f"{SCRATCH}{os.getpid()}-")
        self._exits.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder


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
        yield Workspace(job, settings, output, ownership.fence, Stages(display, logbook.save), exits)
