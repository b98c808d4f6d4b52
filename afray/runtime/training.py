"""The finetune on Ray Train: checkpoints, lost workers, several replicas. What is trained is not known here.

    driver thread: TorchTrainer.fit --> controller --> training worker(s): evaluation.finetune.Finetune
    driver:        reads progress  <-------- output store <--------' after each epoch

A run is known by its name: started again under the same name, it goes on from its last checkpoint.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# Read by Ray Train when it is imported, and handed on to its processes.
os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")
os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")  # every report waits for the next check
os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")  # a process more; we keep a checkpoint anyway

import ray.train
import torch
from ray.train import Checkpoint as StoredCheckpoint
from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
from ray.train.torch import TorchTrainer, get_device
from torch import nn

from afray.errors import AfrayError, Retryable
from afray.evaluation import images
from afray.evaluation.checkpoint import Checkpoint
from afray.evaluation.finetune import Finetune, FinetuneResult, Report, Task
from afray.evaluation.images import Images
from afray.evaluation.labels import require_two_classes
from afray.evaluation.training import Recipe, Replica
from afray.runtime.store_files import filesystem
from afray.storage.store import ObjectMissing, Store

MAX_FAILURES = 3
"""Training workers that may be lost before the finetune is given up."""
CHECKPOINT_SECONDS = 3.0
"""Epochs shorter than this share a checkpoint: what is lost with a worker costs less than writing more of them."""
POLL_SECONDS = 1.0
WORKER_ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Threads that wait for each other sleep: on shared or throttled cores, spinning made training 5 times slower."""
FOLDER = "finetune"
"""Folder of the output that holds checkpoints and progress; of no use once the result is committed."""
STATE = "state.pt"
PROGRESS = "progress.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingWorkers:
    """What Ray is asked for: `replicas` workers of so many CPUs and GPUs each. All of it must be free."""

    replicas: int = 1
    cpus: float = 1.0
    gpus: float = 0.0


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
class FinetunedModel:
    """The result, and the trained network."""

    result: FinetuneResult
    state: bytes
    """evaluation.checkpoint.Checkpoint.to_bytes; its `model` is the classifier's state dict."""


def finetune(
    name: str,
    job: TrainingJob,
    *,
    output: Store,
    workers: TrainingWorkers,
    progress: Callable[[Report], None],
) -> FinetunedModel:
    """Train and evaluate on the Ray session at hand; goes on where a run of the same name stopped.

    `name` must change with anything that the result depends on. Raises OneClass, what the training raised if it is an
    AfrayError, and Retryable when MAX_FAILURES workers were lost.
    """
    require_two_classes(job.selected.labels)
    folder = output.child(f"{FOLDER}/{name}")
    trainer = TorchTrainer(
        _train,
        train_loop_config={"job": job, "folder": folder, "threads": max(1, int(workers.cpus))},
        scaling_config=ScalingConfig(
            num_workers=workers.replicas,
            use_gpu=workers.gpus > 0,
            resources_per_worker={"CPU": workers.cpus} | ({"GPU": workers.gpus} if workers.gpus else {}),
        ),
        run_config=RunConfig(
            name="run",
            failure_config=FailureConfig(max_failures=MAX_FAILURES),
            checkpoint_config=CheckpointConfig(num_to_keep=2),
            worker_runtime_env={"env_vars": WORKER_ENVIRONMENT},
            **_storage(folder),
        ),
    )
    finished = _fit(trainer, folder, progress)
    with finished.checkpoint.as_directory() as directory:
        return FinetunedModel(result=finished.return_value, state=(Path(directory) / STATE).read_bytes())


def _storage(folder: Store) -> dict[str, Any]:
    """Where Ray Train keeps checkpoints: plain files if the output is a folder of this machine."""
    local = folder.local_path("run")
    if local is not None:
        return {"storage_path": str(local.parent)}
    return {"storage_path": "checkpoints", "storage_filesystem": filesystem(folder)}


def _fit(trainer: TorchTrainer, folder: Store, progress: Callable[[Report], None]) -> ray.train.Result:
    """Run the trainer in a thread (in the main one it would take SIGINT over for good) and pass progress on."""
    shown = None
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(trainer.fit)
        while not running.done():
            wait([running], timeout=POLL_SECONDS)
            report = read_progress(folder)
            if report is not None and report != shown:
                progress(report)
                shown = report
    try:
        return running.result()
    except TrainingFailedError as error:
        raise _cause(error) from error


def _cause(error: TrainingFailedError) -> AfrayError:
    """What a user should read: the training's own error, or that its workers were lost."""
    failures = list(getattr(error, "worker_failures", {}).values()) or [error]
    for failure in failures:
        inner = getattr(failure, "cause", failure)
        if isinstance(inner, AfrayError):
            return inner
    first_line = str(failures[0]).strip().splitlines()[0]
    return Retryable(
        f"finetune: {MAX_FAILURES + 1} attempts ended early (last: {first_line}). "
        "Give the training workers more memory, or read the worker's log; finished epochs are kept."
    )


def read_progress(folder: Store) -> Report | None:
    """How far the run whose folder this is has come; None before its first epoch."""
    try:
        return Report(**json.loads(folder.read(PROGRESS)))
    except ObjectMissing:
        return None


def _train(config: dict[str, Any]) -> FinetuneResult:
    """What every training worker runs."""
    job: TrainingJob = config["job"]
    torch.set_num_threads(config["threads"])
    task = Task(
        make_encoder=job.make_encoder,
        selected=images.load(job.selected),
        evaluation=job.evaluation,
        recipe=job.recipe,
    )
    keeper = _Keeper(config["folder"], every=job.checkpoint_seconds, epochs=job.recipe.epochs)
    result, _ = Finetune(task, start=_last_checkpoint(), keep=keeper, replica=_this_replica()).run()
    return result


def _last_checkpoint() -> Checkpoint | None:
    stored = ray.train.get_checkpoint()
    if stored is None:
        return None
    with stored.as_directory() as directory:
        return Checkpoint.from_bytes((Path(directory) / STATE).read_bytes())


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
        self._folder.overwrite(PROGRESS, json.dumps(metrics).encode())
        is_due = time.monotonic() - self._kept >= self._every
        if not is_due and checkpoint.epochs < self._epochs:
            ray.train.report(metrics)
            return
        with tempfile.TemporaryDirectory() as directory:
            (Path(directory) / STATE).write_bytes(checkpoint.to_bytes())
            ray.train.report(metrics, checkpoint=StoredCheckpoint.from_directory(directory))
        self._kept = time.monotonic()
