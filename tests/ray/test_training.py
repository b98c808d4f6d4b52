"""Ray Train changes nothing about a finetune, whatever is killed on the way."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import ray
import torch
from helpers import labelled
from helpers.labelled import WatchedEncoder, coloured_images

from afray.evaluation.checkpoint import Checkpoint
from afray.evaluation.finetune import Finetune, FinetuneResult, Report, Task
from afray.evaluation.training import Recipe
from afray.runtime.session import ray_session
from afray.runtime.training import TrainingJob, TrainingWorkers, finetune
from afray.storage.store import Store

pytestmark = pytest.mark.ray

EPOCHS, BATCHES = 12, 3


@pytest.fixture(scope="module", autouse=True)
def _session() -> Iterator[None]:
    ray.cloudpickle.register_pickle_by_value(labelled)
    with ray_session(2):
        yield
    ray.cloudpickle.unregister_pickle_by_value(labelled)


def job(diary: Path) -> TrainingJob:
    return TrainingJob(
        make_encoder=partial(WatchedEncoder, str(diary)),
        selected=coloured_images(30),
        evaluation=coloured_images(90, seed=1),
        recipe=Recipe(epochs=EPOCHS, batch_size=10),
        checkpoint_seconds=0,
    )


def train_here(work: TrainingJob) -> tuple[FinetuneResult, dict[str, torch.Tensor]]:
    """The same finetune without Ray, by as many threads as a training worker has."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    task = Task(
        make_encoder=work.make_encoder, selected=coloured_images(30), evaluation=work.evaluation, recipe=work.recipe
    )
    try:
        return Finetune(task, start=None, keep=lambda _checkpoint, _report: None).run()
    finally:
        torch.set_num_threads(before)


def test_a_killed_training_worker_is_replaced_and_the_result_is_as_without_ray(tmp_path: Path) -> None:
    expected, weights = train_here(job(tmp_path / "here"))
    diary = tmp_path / "diary"
    killed: list[int] = []
    seen: list[int] = []

    def kill_once(report: Report) -> None:
        seen.append(report.done)
        if not killed and report.done >= 3:
            killed.append(int(diary.read_text().splitlines()[-1]))
            os.kill(killed[0], signal.SIGKILL)

    model = finetune(
        "job", job(diary), output=Store.open(str(tmp_path / "out")), workers=TrainingWorkers(), progress=kill_once
    )

    assert killed
    assert model.result.metrics == expected.metrics
    trained = Checkpoint.from_bytes(model.state).model
    assert [name for name in weights if not torch.equal(trained[name], weights[name])] == []
    pids = diary.read_text().splitlines()
    assert len(set(pids)) == 2
    assert len(pids) < EPOCHS * BATCHES + 3 * BATCHES, "finished epochs were trained again"
    assert seen == sorted(seen)
