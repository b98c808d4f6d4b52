"""The finetune on Ray Train: checkpoints, lost workers, several replicas. What is trained is not known here.

    driver thread: TorchTrainer.fit --> controller --> training worker(s): evaluation.finetune.Finetune
    driver:        reads progress  <-------- output store <--------' after each epoch

A run is known by its name: started again under the same name, it goes on from its last checkpoint.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any, TypeVar

# Read by Ray Train when it is imported, and handed on to its processes.
os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")
os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")  # every report waits for the next check
os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")  # a process more; we keep a checkpoint anyway

import ray.train
from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
from ray.train.torch import TorchTrainer

from afray.contract.outputs import FINETUNE_FOLDER
from afray.errors import AfrayError, Retryable
from afray.evaluation.finetune import FinetuneResult, Report
from afray.evaluation.labels import require_two_classes
from afray.runtime.slots import Slot
from afray.runtime.store_files import filesystem
from afray.runtime.training_worker import Assignment, TrainingJob, read_progress, read_state, train
from afray.storage.store import Store

__all__ = ["FinetunedModel", "TrainingJob", "TrainingWorkers", "finetune"]

T = TypeVar("T")
MAX_FAILURES = 3
"""Training workers that may be lost before the finetune is given up."""
POLL_SECONDS = 1.0
WORKER_ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Threads that wait for each other sleep: on shared or throttled cores, spinning made training 5 times slower."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingWorkers:
    """What Ray is asked for: a slot for each of `replicas` workers. All of it must be free."""

    replicas: int = 1
    slot: Slot = field(default_factory=Slot)


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

    `name` must change with anything that the result depends on. `progress` is called about once a second; what it
    raises ends the wait. Raises OneClass, what the training raised if it is an AfrayError, and Retryable when
    MAX_FAILURES workers were lost.
    """
    require_two_classes(job.selected.labels)
    folder, slot = output.child(f"{FINETUNE_FOLDER}/{name}"), workers.slot
    trainer = TorchTrainer(
        train,
        train_loop_config={"assignment": Assignment(job=job, folder=folder, threads=slot.threads)},
        scaling_config=ScalingConfig(
            num_workers=workers.replicas,
            use_gpu=slot.gpus > 0,
            resources_per_worker={"CPU": slot.cpus} | ({"GPU": slot.gpus} if slot.gpus else {}),
            label_selector=slot.labels or None,
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
    if isinstance(finished.return_value, AfrayError):
        raise finished.return_value
    return FinetunedModel(result=finished.return_value, state=read_state(finished.checkpoint))


def _storage(folder: Store) -> dict[str, Any]:
    """Where Ray Train keeps checkpoints: plain files if the output is a folder of this machine."""
    local = folder.local_path("run")
    if local is not None:
        return {"storage_path": str(local.parent)}
    return {"storage_path": "checkpoints", "storage_filesystem": filesystem(folder)}


def _fit(trainer: TorchTrainer, folder: Store, progress: Callable[[Report], None]) -> ray.train.Result:
    """Run the trainer in a thread (in the main one it would take SIGINT over for good) and pass progress on."""
    running = _start(trainer.fit)
    while not running.done():
        wait([running], timeout=POLL_SECONDS)
        report = read_progress(folder)
        if report is not None:
            progress(report)
    try:
        return running.result()
    except TrainingFailedError as error:
        raise _cause(error) from error


def _start(function: Callable[[], T]) -> Future[T]:
    """Call a function in a thread that nobody waits for when this process is interrupted."""
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future


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
