"""Two replicas: how long nobody leads, and that nobody leads twice."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from kubernetes import client, config
from testbed.cluster import Cluster
from testbed.faults import operator_pods, remove_pod, signal_pod
from testbed.followed_jobs import FollowedJob
from testbed.installation import Installation
from testbed.operators import NAMESPACE, RELEASE

pytestmark = [pytest.mark.cluster, pytest.mark.nightly]

LOOK_SECONDS = 0.1
IN_AN_UPDATE, AFTER_A_KILL = 5.0, 20.0
"""Seconds without a leader, at most."""


@dataclass(slots=True)
class Reign:
    """Who held the Lease, and when that was first seen; "" for nobody."""

    changes: list[tuple[float, str]] = field(default_factory=list)

    @property
    def holder(self) -> str:
        """The present one."""
        return self.changes[-1][1] if self.changes else ""

    def gaps(self) -> list[float]:
        """Seconds that nobody held it, each time that somebody gave it back."""
        following = zip(self.changes, self.changes[1:], strict=False)
        return [after - before for (before, holder), (after, _) in following if holder == ""]

    def leaders(self) -> list[str]:
        """All that led, in order."""
        return [holder for _, holder in self.changes if holder]


@contextmanager
def watched(cluster: Cluster) -> Iterator[Reign]:
    """The Lease, looked at all the time."""
    api = client.CoordinationV1Api(config.new_client_from_config(str(cluster.kubeconfig)))
    reign, over = Reign(), threading.Event()

    def look() -> None:
        while not over.wait(LOOK_SECONDS):
            spec = api.read_namespaced_lease(RELEASE, NAMESPACE).spec
            holder = (spec.holder_identity if spec is not None else None) or ""
            if holder != reign.holder or not reign.changes:
                reign.changes.append((time.monotonic(), holder))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield reign
    finally:
        over.set()
        looking.join()


def await_leader(cluster: Cluster, reign: Reign, *, other_than: str = "") -> None:
    nobody = FollowedJob(cluster.kubectl, NAMESPACE)
    nobody.wait_until("a leader", lambda: reign.holder not in ("", other_than))


@pytest.mark.timeout(600)
def test_a_rolling_update_leaves_nobody_without_a_leader_for_long(installation: Installation, cluster: Cluster) -> None:
    installation.install()
    with watched(cluster) as reign:
        await_leader(cluster, reign)
        deployment = f"deployment/{RELEASE}"
        cluster.kubectl("rollout", "restart", deployment, "-n", NAMESPACE)
        cluster.kubectl("rollout", "status", deployment, "-n", NAMESPACE, "--timeout=180s", seconds=200)
        time.sleep(2 * IN_AN_UPDATE)  # the last of the old pods may still hand on
        await_leader(cluster, reign)
    assert reign.gaps(), reign.changes
    assert max(reign.gaps()) <= IN_AN_UPDATE
    assert len(set(reign.leaders())) == len(reign.leaders()), "one led again after another had"


@pytest.mark.timeout(600)
def test_a_leader_that_is_killed_is_replaced(installation: Installation, cluster: Cluster) -> None:
    installation.install()
    with watched(cluster) as reign:
        await_leader(cluster, reign)
        leader = reign.holder
        (pod,) = [one for one in operator_pods(cluster.kubectl) if leader.startswith(one["metadata"]["name"])]
        killed = time.monotonic()
        signal_pod(pod, signal.SIGKILL)
        remove_pod(cluster.kubectl, pod)
        await_leader(cluster, reign, other_than=leader)
    (replaced,) = [moment for moment, holder in reign.changes if holder not in ("", leader)]
    assert replaced - killed <= AFTER_A_KILL
