"""What only a real cluster can say of bad input: each mistake is named, with the next step, and the job beside goes on.

Images that cannot be pulled are in `test_policies.py`, label files in `test_finetune.py`.
"""

from __future__ import annotations

import pytest
from testbed.followed_jobs import FollowedJob
from testbed.grounds import Ground
from testbed.jobs import conditions_of
from testbed.s3_faults import Fault
from testbed.small_jobs import create_queue

pytestmark = [pytest.mark.cluster, pytest.mark.nightly]

LATER = "later"
"""A Secret, and a queue, that are not there yet."""
REFUSED = 403
START_SECONDS = 900.0
"""On a busy machine Ray's head may have to be started several times."""


def said(job: FollowedJob, kind: str) -> str:
    return conditions_of({"status": job.status})[kind]["message"]


@pytest.mark.timeout(1500)
def test_what_is_not_there_is_named_and_the_job_goes_on_when_it_comes(ground: Ground) -> None:
    kubectl, namespace = ground.kubectl, ground.namespace
    queued, secretive = ground.job("queued", queue_name=LATER), ground.job("secretive")
    secretive["spec"]["runtime"]["envFrom"].append({"secretRef": {"name": LATER}})
    queued_job, secretive_job = ground.start(queued), ground.start(secretive)

    queued_job.await_condition("QuotaReserved", "False", "QueueMissing")
    assert "kubectl get queue" in said(queued_job, "QuotaReserved")
    assert LATER in said(queued_job, "QuotaReserved")
    secretive_job.await_condition("ClusterReady", "False", "ConfigurationMissing")
    assert f'secret "{LATER}" not found' in said(secretive_job, "ClusterReady")

    kubectl("create", "secret", "generic", LATER, "-n", namespace)
    secretive_job.await_condition("ClusterReady", "True", "HeadAndWorkersReady", seconds=START_SECONDS)
    create_queue(kubectl, namespace, name=LATER)
    queued_job.await_condition("QuotaReserved", "True", "Admitted")
    assert (secretive_job.failures, queued_job.failures) == (0, 0)


@pytest.mark.timeout(2400)
def test_an_image_with_another_ray_and_an_output_that_refuses_end_their_jobs_at_once_and_say_why(
    ground: Ground,
) -> None:
    ground.storage.inject(Fault(pattern=f"/{ground.namespace}/refused/", method="PUT", status=REFUSED))
    older, refused = ground.job("older"), ground.job("refused")
    older["spec"]["runtime"]["rayVersion"] = "2.59.0"
    for manifest, words in ((older, "spec.runtime.rayVersion: 2.59.0, but the image has Ray"), (refused, "/refused")):
        job = ground.start(manifest)  # one after the other: each has a Ray cluster of its own
        job.await_condition("Failed", "True", "PermanentError", seconds=START_SECONDS)
        assert words in said(job, "Failed")
        assert job.failures == 1
