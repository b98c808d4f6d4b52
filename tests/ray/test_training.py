"""Ray Train changes nothing about a finetune, whatever is killed on the way. One story: each start costs seconds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import ray
import torch
from helpers.faults import this_session
from helpers.finetuning import BATCHES, EPOCHS, NAME, make_job, read_diary, run_on_ray, set_limit, train_without_ray
from helpers.s3_server import running_s3_server
from torch import nn

from afray.contract.outputs import FINETUNE_FOLDER
from afray.errors import EnvironmentFault
from afray.evaluation.checkpoint import Checkpoint
from afray.runtime.training import TrainingWorkers, finetune
from afray.runtime.training_worker import read_progress
from afray.storage.store import Store

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cpus")]
WAIT_SECONDS = 300
TESTS = Path(__file__).parent.parent


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_past(folder: Store, epochs: int) -> bool:
    report = read_progress(folder)
    return report is not None and report.done >= epochs


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.s3
def test_a_finetune_outlives_its_driver_and_a_worker_and_two_replicas_train_as_one(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    with running_s3_server() as server:
        output = Store.open(server.new_bucket(), environment=server.environment)
        run_driver_until(4, output, diary, server.environment)
        before = len(read_diary(diary))
        held_at = before + 2 * 2 * BATCHES
        set_limit(diary, held_at)

        def kill_worker() -> None:
            wait_until(lambda: len(read_diary(diary)) > held_at)
            os.kill(read_diary(diary)[-1], signal.SIGKILL)
            set_limit(diary, 10**6)

        killer = threading.Thread(target=kill_worker)
        killer.start()
        model = run_on_ray(diary, output, replicas=2)
        killer.join()

    after = read_diary(diary)[before:]
    assert len(set(after)) == 4, "the two training workers were not replaced by two others"
    # Of the 12 epochs 4 were done before; each kill costs at most the epoch whose checkpoint was on its way, the
    # second one a batch more. From the start it would be two epochs more, or four.
    assert len(after) <= 2 * (BATCHES * (EPOCHS - 4 + 2) + 1), "finished epochs were trained again"
    expected, weights = train_without_ray(tmp_path / "here")
    assert model.result.metrics == expected.metrics
    for name, trained in Checkpoint.from_bytes(model.state).model.items():
        torch.testing.assert_close(trained, weights[name], rtol=1e-3, atol=1e-5)


def run_driver_until(epochs: int, output: Store, diary: Path, environment: Mapping[str, str]) -> None:
    """Start a finetune by a process of its own, and kill that after some epochs; its workers end with it."""
    set_limit(diary, epochs * BATCHES)
    command = [sys.executable, "-m", "helpers.finetuning", output.uri, str(diary), json.dumps(dict(environment))]
    driver = subprocess.Popen(command, env=os.environ | this_session() | {"PYTHONPATH": f"{TESTS}:{TESTS.parent}"})
    folder = output.child(f"{FINETUNE_FOLDER}/{NAME}")
    wait_until(lambda: driver.poll() is not None or is_past(folder, epochs))
    driver.kill()
    assert driver.wait() == -signal.SIGKILL, "the driver failed"
    wait_until(lambda: not any(is_running(pid) for pid in set(read_diary(diary))))


def refuse_to_load(diary: str) -> nn.Module:
    with Path(diary).open("a") as file:
        file.write("asked\n")
    raise EnvironmentFault("the weights are gone")


def test_an_error_that_no_attempt_can_mend_is_raised_as_it_is_after_one_attempt(tmp_path: Path) -> None:
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    diary = tmp_path / "diary"
    job = replace(make_job(diary), make_encoder=partial(refuse_to_load, str(diary)))
    output = Store.open(str(tmp_path / "out"))
    with pytest.raises(EnvironmentFault, match="the weights are gone"):
        finetune("hopeless", job, output=output, workers=TrainingWorkers(), progress=lambda _report: None)
    assert diary.read_text() == "asked\n"
