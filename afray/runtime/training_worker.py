"""What a training worker of Ray Train runs: the finetune, with checkpoints and progress on the way."""

from __future__ import annotations

import json
import logging
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ray.train
import torch
from ray.train import Checkpoint as StoredCheckpoint
from ray.train.torch import get_device
from torch import nn

from afray.errors import AfrayError, Retryable
from afray.evaluation import images
from afray.evaluation.checkpoint import Checkpoint
from afray.evaluation.finetune import Finetune, FinetuneResult, Report, Task
from afray.evaluation.images import Images
from afray.evaluation.training import Recipe, Replica
from afray.storage.store import ObjectMissing, Store

log = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 3.0
"""Epochs shorter than this share a checkpoint: what is lost with a worker costs less than writing more of them."""
STATE = "state.pt"
PROGRESS = "progress.json"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingJob:
    """What a training worker needs, all of it picklable; images are read where the training runs."""

    make_encoder: Callable[[], nn.Module]
    """As in evaluation.finetune.Task."""
    selected: Images
    evaluation: Images | None
    recipe: Recipe
    checkpoint_seconds: float = CHECKPOINT_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Assignment:
    """The job, and where and how a worker does it."""

    job: TrainingJob
    folder: Store
    threads: int


def train(config: dict[str, Assignment]) -> FinetuneResult | AfrayError:
    """Entry point of every training worker; Ray Train wants a dict, which holds the one assignment.

    Raised errors are worth another attempt. A lone worker returns those that are not; one of several has to raise
    them, or the others would wait for it.
    """
    assignment, replica = config["assignment"], _this_replica()
    torch.set_num_threads(assignment.threads)
    try:
        return _finetune(assignment, replica)
    except AfrayError as error:
        if replica.count > 1 or isinstance(error, Retryable):
            raise
        return error


def _finetune(assignment: Assignment, replica: Replica) -> FinetuneResult:
    job = assignment.job
    task = Task(
        make_encoder=job.make_encoder,
        selected=images.load(job.selected),
        evaluation=job.evaluation,
        recipe=job.recipe,
    )
    keeper = _Keeper(assignment.folder, every=job.checkpoint_seconds, epochs=job.recipe.epochs)
    result, _ = Finetune(task, start=_last_checkpoint(), keep=keeper, replica=replica).run()
    return result


def read_state(stored: StoredCheckpoint) -> bytes:
    """The bytes of evaluation.checkpoint.Checkpoint."""
    with stored.as_directory() as directory:
        return (Path(directory) / STATE).read_bytes()


def read_progress(folder: Store) -> Report | None:
    """How far the run whose folder this is has come; None before its first epoch, and while the store is busy."""
    try:
        return Report(**json.loads(folder.read(PROGRESS)))
    except (ObjectMissing, Retryable):
        return None


def _write_progress(folder: Store, report: Report) -> None:
    try:
        folder.overwrite(PROGRESS, json.dumps(asdict(report)).encode())
    except Retryable as error:
        log.warning("progress is not written: %s", error)


def _last_checkpoint() -> Checkpoint | None:
    stored = ray.train.get_checkpoint()
    return Checkpoint.from_bytes(read_state(stored)) if stored else None


def _this_replica() -> Replica:
    context = ray.train.get_context()
    if context.get_world_size() == 1:
        return Replica(device=get_device())
    return Replica(
        rank=context.get_world_rank(),
        count=context.get_world_size(),
        wrap=_synchronise,
        gather=_gather,
        device=get_device(),
    )


def _synchronise(model: nn.Module) -> nn.Module:
    # A static graph allows for parameters that the features do not use, such as an encoder's own head.
    return nn.parallel.DistributedDataParallel(model, static_graph=True)


def _gather(value: Any) -> list[Any]:
    everyone: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(everyone, value)
    return everyone


class _Keeper:
    """Reports every epoch to Ray Train; the first replica adds a checkpoint where one is due, and writes progress."""

    def __init__(self, folder: Store, *, every: float, epochs: int) -> None:
        self._folder, self._every, self._epochs = folder, every, epochs
        self._kept = time.monotonic()
        self._is_first = ray.train.get_context().get_world_rank() == 0

    def __call__(self, checkpoint: Checkpoint, report: Report) -> None:
        metrics = asdict(report)
        if not self._is_first:
            ray.train.report(metrics)
            return
        is_due = time.monotonic() - self._kept >= self._every
        if is_due or checkpoint.epochs == self._epochs:
            with tempfile.TemporaryDirectory() as directory:
                (Path(directory) / STATE).write_bytes(checkpoint.to_bytes())
                ray.train.report(metrics, checkpoint=StoredCheckpoint.from_directory(directory))
            self._kept = time.monotonic()
        else:
            ray.train.report(metrics)
        _write_progress(self._folder, report)
