"""Three rounds as three jobs: the later ones without GPUs, each waiting for people's labels and holding nothing."""

from __future__ import annotations

from typing import Any

import pytest
from testbed.faults import remove_pod
from testbed.followed_jobs import FollowedJob
from testbed.grounds import Ground
from testbed.jobs import conditions_of
from testbed.people import alternating, name_labels, selected_ids, unfinished_workloads, write_labels
from testbed.s3_faults import Fault
from testbed.small_jobs import QUEUE, create_queue, run_alone
from testbed.steps import StepFailed

pytestmark = [pytest.mark.cluster, pytest.mark.nightly, pytest.mark.timeout(3000)]

COMPLETE_SECONDS = 1200
"""Of each stage, on however busy a machine."""
NEW_LABELS = 20
READY = "PreviousLabelsReady"


def test_three_rounds_choose_what_one_machine_chooses_though_labels_are_refused_and_a_worker_dies(
    ground: Ground,
) -> None:
    create_queue(ground.kubectl, ground.namespace)
    first = ground.job(queue_name=QUEUE)
    digests = [ground.start(first).await_complete(seconds=COMPLETE_SECONDS)["result"]["digest"]]
    rounds = [going_on(ground, number) for number in (2, 3)]
    read = len(images_read(ground))
    for number, manifest in enumerate(rounds, start=2):
        job = ground.start(manifest)
        await_labels(ground, job)
        if number == 2:
            refuse_labels(ground, job)
            name_labels(ground, job, answers(ground, number), of_round_before=True)
            lose_worker(ground, job)
        else:
            name_labels(ground, job, answers(ground, number), of_round_before=True)
        digests.append(job.await_complete(seconds=COMPLETE_SECONDS)["result"]["digest"])
        assert (job.failures, "usage" in job.status) == (0, False), "no GPU"
        shown = set(images_read(ground)[read:])
        read = len(images_read(ground))
        assert shown == set(selected_ids(ground, job.name)), "only its report shows images; none was embedded"
        with pytest.raises(StepFailed, match="can not be changed once labels are accepted"):
            name_labels(ground, job, write_labels(ground, "late", {}), of_round_before=True)

    assert digests == [alone(ground, manifest, number) for number, manifest in enumerate([first, *rounds], start=1)]
    chosen = [row for number in (1, 2, 3) for row in selected_ids(ground, output(number))]
    assert len(chosen) == len(set(chosen)) == 3 * NEW_LABELS, "nobody is asked twice"


def output(number: int) -> str:
    """Where a round's output lies in the bucket."""
    return "small" if number == 1 else f"small-{number}"


def going_on(ground: Ground, number: int) -> dict[str, Any]:
    """The job of a later round as `afray next` writes it, on CPUs, before there are labels."""
    manifest = ground.job(output(number), queue_name=QUEUE)
    spec = manifest["spec"]
    spec["previous"] = {"certificate": {"uri": f"s3://{ground.namespace}/{output(number - 1)}/certificate.json"}}
    spec["selection"] = {"method": "uherding", "budget": {"count": NEW_LABELS}}
    (workers,) = spec["cluster"]["workers"]
    workers["resources"] = {"cpu": "500m", "memory": "2Gi"}
    return manifest


def answers(ground: Ground, number: int) -> dict[str, str]:
    """A file of labels for what the round before selected."""
    return write_labels(ground, f"labels-{number - 1}", alternating(selected_ids(ground, output(number - 1))))


def await_labels(ground: Ground, job: FollowedJob) -> None:
    job.await_condition(READY, "False", "AwaitingLabels")
    assert (job.status["phase"], job.ray_job()) == ("AwaitingLabels", None)
    job.wait_until("pods of the round before to leave", lambda: not ground.working_pods())
    assert unfinished_workloads(ground) == []


def refuse_labels(ground: Ground, job: FollowedJob) -> None:
    """A file for rows that nobody was asked about is refused: no failure, and the job waits again."""
    wrong = alternating([*selected_ids(ground)[:12], "nobody asked for this"])
    name_labels(ground, job, write_labels(ground, "wrong", wrong), of_round_before=True)
    job.await_condition(READY, "False", "Rejected", seconds=COMPLETE_SECONDS)
    said = conditions_of({"status": job.status})[READY]["message"]
    assert "(12 of 20 rows answered, 1 unknown ids, 2 classes)" in said
    assert (job.status["phase"], job.failures) == ("AwaitingLabels", 0)
    job.wait_until("its pods to leave", lambda: not ground.working_pods())
    assert unfinished_workloads(ground) == []


def lose_worker(ground: Ground, job: FollowedJob) -> None:
    """Take the worker away while it stores vectors of the round before."""
    fault = Fault(pattern=f"/{ground.namespace}/{job.name}/embeddings/.*", method="PUT")
    ground.storage.inject(fault)
    job.wait_until("vectors on their way", lambda: ground.storage.met(fault.pattern).waiting, seconds=COMPLETE_SECONDS)
    (worker,) = job.pods("worker")
    remove_pod(ground.kubectl, worker)
    job.wait_until(
        "another worker", lambda: [pod["metadata"]["uid"] for pod in job.pods("worker")] != [worker["metadata"]["uid"]]
    )
    ground.storage.lift(fault.pattern)


def images_read(ground: Ground) -> list[str]:
    """The images of the pool that were asked for, in their order."""
    asked = (each for each in ground.storage.requests() if each.method == "GET" and each.path.endswith(".png"))
    return [each.path.rsplit("/", 1)[-1] for each in asked]


def alone(ground: Ground, manifest: dict[str, Any], number: int) -> str:
    """The digest of a round on this machine, in a chain of its own with the same answers."""
    spec = manifest["spec"]
    changes: dict[str, Any] = {}
    if number > 1:
        uri = f"s3://{ground.namespace}/alone-{number - 1}/certificate.json"
        changes["previous"] = {"certificate": {"uri": uri}, "labels": answers(ground, number)}
    report = run_alone(ground.storage, {**manifest, "spec": {**spec, **changes}}, f"alone-{number}")
    digest: str = report["selectionDigest"]
    return digest
