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
from pathlib import Path

import pytest
import torch
from helpers.finetuning import BATCHES, EPOCHS, NAME, run_on_ray, train_without_ray
from helpers.s3_server import running_s3_server

from afray.evaluation.checkpoint import Checkpoint
from afray.runtime.training import FOLDER, read_progress
from afray.storage.store import Store

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cpus")]
WAIT_SECONDS = 300
TESTS = Path(__file__).parent.parent


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def pids(diary: Path) -> list[int]:
    """The training worker of each batch so far."""
    return [int(line) for line in diary.read_text().splitlines()] if diary.exists() else []


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
        before = len(pids(diary))

        def kill_worker() -> None:
            wait_until(lambda: len(pids(diary)) - before > 2 * 2 * BATCHES)
            os.kill(pids(diary)[-1], signal.SIGKILL)

        killer = threading.Thread(target=kill_worker)
        killer.start()
        model = run_on_ray(diary, output, replicas=2)
        killer.join()

    after = pids(diary)[before:]
    assert len(set(after)) == 4, "the two training workers were not replaced by two others"
    # Two replicas, at most one epoch lost to each of the two kills.
    assert len(after) <= 2 * BATCHES * (EPOCHS - 4 + 2), "finished epochs were trained again"
    expected, weights = train_without_ray(tmp_path / "here")
    assert model.result.metrics == expected.metrics
    for name, trained in Checkpoint.from_bytes(model.state).model.items():
        torch.testing.assert_close(trained, weights[name], rtol=1e-3, atol=1e-5)


def run_driver_until(epochs: int, output: Store, diary: Path, environment: Mapping[str, str]) -> None:
    """Start a finetune by a process of its own, and kill that after some epochs; Ray's processes end with it."""
    command = [sys.executable, "-m", "helpers.finetuning", output.uri, str(diary), json.dumps(dict(environment))]
    driver = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": f"{TESTS}:{TESTS.parent}"})
    folder = output.child(f"{FOLDER}/{NAME}")
    wait_until(lambda: driver.poll() is not None or is_past(folder, epochs))
    driver.kill()
    assert driver.wait() == -signal.SIGKILL, "the driver was too quick, or failed"
    wait_until(lambda: not any(is_running(pid) for pid in set(pids(diary))))
