"""Containers that somebody else put into our pods are named, with what to do; those that the job asked for are not."""

from __future__ import annotations

import pytest
from helpers.operator_world import World

PROXY = {"name": "istio-proxy", "image": "mesh:1"}


def inject(world: World, *containers: dict[str, str], kind: str = "containers", role: str = "gpu") -> None:
    """A webhook adds containers to the pods of a role."""
    for pod in world.objects["pods"].values():
        if pod["metadata"]["labels"]["afray.dev/role"] == role:
            pod["spec"][kind] = [*pod["spec"].get(kind, ()), *containers]


@pytest.mark.parametrize("kind", ["containers", "initContainers"])
@pytest.mark.parametrize("role", ["head", "gpu"])
def test_a_container_that_nobody_asked_for_is_named_and_told_once(kind: str, role: str) -> None:
    world = World.running()
    inject(world, PROXY, kind=kind, role=role)
    world.settle()
    status, reason, message = world.condition("ClusterReady")
    assert (status, reason) == ("True", "HeadAndWorkersReady")
    assert "containers that the job did not ask for (istio-proxy)" in message
    assert "exempt pods with the label afray.dev/job" in message
    world.passes(60)
    world.speaks(done=50)
    world.settle()
    assert world.told.count("PodsMutated") == 1


def test_it_is_told_while_pods_are_not_ready_behind_what_keeps_them() -> None:
    world = World.of()
    world.settle()
    world.starts()
    inject(world, PROXY)
    world.settle()
    _, reason, message = world.condition("ClusterReady")
    assert reason == "HeadPending"
    assert message.startswith("The head is starting. Pods have containers that the job did not ask for")


def test_what_a_template_and_kuberay_add_is_asked_for() -> None:
    template = {"spec": {"containers": [{"name": "tail"}], "initContainers": [{"name": "warm"}]}}
    world = World.running({"spec.cluster.workers[0].template": template})
    inject(world, {"name": "tail"})
    inject(world, {"name": "warm"}, {"name": "wait-gcs-ready"}, kind="initContainers")
    world.settle()
    assert "did not ask for" not in world.condition("ClusterReady")[2]
    inject(world, {"name": "tail"}, role="head")
    world.settle()
    assert "did not ask for (tail)" in world.condition("ClusterReady")[2]
