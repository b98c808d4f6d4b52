"""A few rows go through everything that a run does; nothing is left behind, and nothing is written to the output."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers import jobs, rounds
from helpers.jobs import FinishedJob, RecordingDisplay
from helpers.manifests import CLUSTER, RUNTIME
from typer.testing import CliRunner

from afray.algorithms.effort import Size
from afray.api.rules import Target
from afray.cli.main import app
from afray.driver.estimating import Estimate, Question, estimate
from afray.errors import AfrayError, PoolError, SpecError

pytestmark = pytest.mark.ray

HERE = Question(target=Target.run, workers=2)


def ask(made: jobs.Manifest, question: Question) -> Estimate:
    return estimate(jobs.parse(made), question, RecordingDisplay())


def on_a_cluster(job: FinishedJob, output: Path) -> jobs.Manifest:
    pods = {"spec.cluster": CLUSTER, "spec.runtime": RUNTIME}
    return job.elsewhere(output.as_uri(), {"spec.pool.uri": job.pool.as_uri(), **pods})


def test_every_stage_takes_time_and_nothing_is_written(vector_job: FinishedJob, tmp_path: Path) -> None:
    question = Question(target=Target.run, workers=2, prices={"local": 6.0})
    found = ask(vector_job.elsewhere(tmp_path / "out"), question)
    assert not (tmp_path / "out").exists()
    assert found.size == Size(rows=600, cores=40, budget=60)
    assert list(found.forecast.stages) == ["start", "index", "embed", "select", "report"]
    assert min(found.forecast.stages.values()) > 0
    assert found.forecast.money == pytest.approx(6.0 * found.forecast.hours)
    assert found.forecast.memory > found.forecast.driver_memory > 2**20


def test_a_pool_may_be_taken_for_a_larger_one(vector_job: FinishedJob, tmp_path: Path) -> None:
    made = vector_job.elsewhere(tmp_path)
    large = ask(made, Question(target=Target.run, workers=2, rows=3_000_000))
    small = ask(made, HERE)
    assert large.size.rows == 3_000_000
    assert large.forecast.output == 5000 * small.forecast.output
    assert large.forecast.stages["embed"] > 20 * small.forecast.stages["embed"]


def test_a_later_round_is_not_estimated(vector_job: FinishedJob, tmp_path: Path) -> None:
    made = rounds.next_round(vector_job.manifest, tmp_path / "out", tmp_path / "labels.csv")
    with pytest.raises(SpecError, match="a later round, which is not estimated"):
        ask(made, HERE)


def test_images_are_embedded_at_the_rate_measured_or_told(image_job: FinishedJob, tmp_path: Path) -> None:
    made = image_job.elsewhere(tmp_path)
    measured = ask(made, Question(target=Target.run, workers=2, rows=10**6))
    told = ask(made, Question(target=Target.run, workers=2, rows=10**6, embed_rate=1000.0))
    assert measured.embed_rate > 0
    assert told.embed_rate == pytest.approx(1000.0)
    assert told.forecast.stages["embed"] == pytest.approx(500.0, rel=0.05)
    assert measured.forecast.stages["embed"] == pytest.approx(500.0 * 1000.0 / measured.embed_rate, rel=0.1)


def test_a_cluster_s_pods_are_counted_and_paid(vector_job: FinishedJob, tmp_path: Path) -> None:
    made = on_a_cluster(vector_job, tmp_path)
    found = ask(made, Question(target=Target.cluster, prices={"head": 1.0, "gpu": 4.0}))
    assert (found.place.workers, found.place.machines, dict(found.place.pods)) == (2, 2, {"head": 1, "gpu": 2})
    assert found.forecast.money == pytest.approx(9.0 * found.forecast.hours)


@pytest.mark.parametrize(
    ("prices", "target", "said"),
    [
        ({"gpu": 1.0}, Target.run, "'gpu'"),
        ({"gpu": 1.0}, Target.cluster, "'head'"),
        ({"head": 1.0, "gpu": 1.0, "tpu": 1.0}, Target.cluster, "'tpu'"),
    ],
)
def test_prices_that_do_not_fit_the_job_are_refused_before_anything_is_tried(
    vector_job: FinishedJob, tmp_path: Path, prices: dict[str, float], target: Target, said: str
) -> None:
    made = on_a_cluster(vector_job, tmp_path)
    with pytest.raises(AfrayError, match="--price") as refused:
        ask(made, Question(target=target, prices=prices))
    assert refused.value.exit_code == 64
    assert said in str(refused.value)


def test_a_pool_without_a_readable_row_cannot_be_estimated(image_job: FinishedJob, tmp_path: Path) -> None:
    for number in range(3):
        jobs.write_file(tmp_path / "pool" / f"{number}.png", b"no picture")
    made = image_job.elsewhere(tmp_path / "out", {"spec.pool.uri": str(tmp_path / "pool")})
    for block in ("labels", "finetune", "evaluation"):
        made["spec"].pop(block, None)  # type: ignore[attr-defined]
    made["spec"]["pool"].pop("labels", None)  # type: ignore[index]
    made["spec"]["selection"] = {"budget": {"count": 2}}  # type: ignore[index]
    with pytest.raises(PoolError, match=r"none of .* rows at .* is readable"):
        ask(made, HERE)


def test_the_command_prints_what_a_program_can_read(vector_job: FinishedJob, tmp_path: Path) -> None:
    manifest = jobs.write_manifest(tmp_path / "job.yaml", vector_job.elsewhere(tmp_path / "out"))
    ended = CliRunner().invoke(app, ["estimate", str(manifest), "--workers", "2", "--price", "local=1", "-o", "json"])
    assert ended.exit_code == 0, ended.output
    said = json.loads(ended.stdout)
    assert (said["rows"], said["cores"], said["labels"], said["workers"]) == (600, 40, 60, 2)
    assert said["hours"] == pytest.approx(sum(said["seconds"].values()) / 3600)
    assert said["money"] == pytest.approx(said["hours"])
