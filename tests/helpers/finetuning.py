"""A small finetune that can be watched, and a driver of its own process that can be killed.

python -m helpers.finetuning <output uri> <diary> <environment of the store, as JSON>
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from functools import partial
from pathlib import Path

import ray
import torch
from helpers import labelled
from helpers.labelled import TinyEncoder, coloured_images
from torch import Tensor

from afray.evaluation.finetune import Finetune, FinetuneResult, Task
from afray.evaluation.training import Recipe
from afray.runtime.session import ray_session
from afray.runtime.training import FinetunedModel, TrainingJob, TrainingWorkers, finetune
from afray.storage.store import Store

EPOCHS, BATCHES = 12, 3
NAME = "small"


class WatchedEncoder(TinyEncoder):
    """Appends the id of its process to a diary for every training batch, and stands still at the diary's limit."""

    def __init__(self, diary: str) -> None:
        super().__init__()
        self.diary = Path(diary)
        self.dropout.p = 0.0  # replicas cannot drop the same features as one process does

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            with self.diary.open("a") as file:
                file.write(f"{os.getpid()}\n")
            while len(read_diary(self.diary)) > read_limit(self.diary):
                time.sleep(0.02)
        return super().forward(images)


def read_diary(diary: Path) -> list[int]:
    """The process of each training batch so far."""
    return [int(line) for line in diary.read_text().splitlines()] if diary.exists() else []


def set_limit(diary: Path, batches: int) -> None:
    """Let encoders stand still when the diary has more entries than this."""
    fresh = diary.with_suffix(".new")
    fresh.write_text(str(batches))
    fresh.replace(diary.with_suffix(".limit"))


def read_limit(diary: Path) -> float:
    """Without a limit encoders never stand still."""
    limit = diary.with_suffix(".limit")
    return float(limit.read_text()) if limit.exists() else math.inf


def make_job(diary: Path) -> TrainingJob:
    """EPOCHS epochs of BATCHES batches, each epoch with a checkpoint."""
    return TrainingJob(
        make_encoder=partial(WatchedEncoder, str(diary)),
        selected=coloured_images(30),
        evaluation=coloured_images(90, seed=1),
        recipe=Recipe(epochs=EPOCHS, batch_size=10),
        checkpoint_seconds=0,
    )


def train_without_ray(diary: Path) -> tuple[FinetuneResult, dict[str, Tensor]]:
    """The same finetune in this process, by as many threads as a training worker has."""
    job, before = make_job(diary), torch.get_num_threads()
    torch.set_num_threads(1)
    task = Task(
        make_encoder=job.make_encoder, selected=coloured_images(30), evaluation=job.evaluation, recipe=job.recipe
    )
    try:
        return Finetune(task, start=None, keep=lambda _checkpoint, _report: None).run()
    finally:
        torch.set_num_threads(before)


def run_on_ray(diary: Path, output: Store, replicas: int) -> FinetunedModel:
    """On the Ray session at hand, whose workers know nothing of the tests."""
    for module in (sys.modules[__name__], labelled):
        ray.cloudpickle.register_pickle_by_value(module)
    return finetune(
        NAME,
        make_job(diary),
        output=output,
        workers=TrainingWorkers(replicas=replicas),
        progress=lambda _report: None,
    )


def main(uri: str, diary: str, environment: str) -> None:
    """One replica, in the Ray session that RAY_ADDRESS names, or one of this process."""
    with ray_session(1):
        run_on_ray(Path(diary), Store.open(uri, environment=json.loads(environment)), replicas=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
