from __future__ import annotations

import pytest
from helpers.manifests import cluster_manifest

from afray.api.job import SelectionJob
from afray.api.loading import load_object
from afray.contract.names import Stage
from afray.driver.on_cluster.groups import cut_group, worker_groups
from afray.runtime.slots import GROUP_LABEL, Slot

SMALL = {"name": "cpu", "replicas": 3, "resources": {"cpu": "4", "memory": "16Gi"}}
LARGE = {"name": "gpu", "replicas": 2, "resources": {"cpu": "16", "memory": "64Gi", "nvidia.com/gpu": "4"}}


def make_job(*groups: dict[str, object], **changes: object) -> SelectionJob:
    return load_object(cluster_manifest({"spec.cluster.workers": list(groups), **changes}), "test")


@pytest.mark.parametrize(
    ("resources", "slots", "slot"),
    [
        ({"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1"}, 1, Slot(cpus=8, gpus=1, group="g")),
        ({"cpu": "16", "memory": "32Gi", "nvidia.com/gpu": "4"}, 4, Slot(cpus=4, gpus=1, group="g")),
        ({"cpu": "1", "memory": "32Gi", "nvidia.com/gpu": "4"}, 4, Slot(cpus=0.25, gpus=1, group="g")),
        ({"cpu": "4", "memory": "64Gi"}, 4, Slot(cpus=1, group="g")),
        ({"cpu": "8", "memory": "7Gi"}, 2, Slot(cpus=4, group="g")),
        ({"cpu": "2", "memory": "512Mi"}, 1, Slot(cpus=2, group="g")),
        ({"cpu": "500m", "memory": "4Gi"}, 1, Slot(cpus=1, group="g")),
        ({"cpu": "2500m", "memory": "12Gi"}, 2, Slot(cpus=1, group="g")),
    ],
)
def test_a_pod_has_a_slot_per_gpu_else_per_cpu_as_far_as_memory_goes(
    resources: dict[str, str], slots: int, slot: Slot
) -> None:
    job = make_job({"name": "g", "replicas": 5, "resources": resources})
    (group,) = worker_groups(job, Stage.select)
    assert (group.pods, group.slots_per_pod, group.slot) == (5, slots, slot)
    assert group.slots == (slot,) * (5 * slots)


def test_the_slots_of_a_pod_never_ask_for_more_than_it_has() -> None:
    for cpu in range(1, 33):
        for gpus in range(5):
            resources = {"cpu": str(cpu), "memory": "20Gi"} | ({"nvidia.com/gpu": str(gpus)} if gpus else {})
            spec = make_job({"name": "g", "replicas": 1, "resources": resources}).spec.cluster
            assert spec is not None
            group = cut_group(spec.workers[0], 1, uses_gpus=True)
            assert sum(slot.cpus for slot in group.slots) <= cpu
            assert sum(slot.gpus for slot in group.slots) == gpus
            assert group.slot.cpus < 1 or float(group.slot.cpus).is_integer()


def test_device_cpu_leaves_the_gpus_alone() -> None:
    (group,) = worker_groups(make_job(LARGE, **{"spec.embedding.device": "cpu"}), Stage.select)
    assert {slot.gpus for slot in (*group.slots, group.trainer)} == {0.0}
    assert group.slots_per_pod == 16


def test_every_group_selects_in_its_own_size_and_only_the_named_one_finetunes() -> None:
    job = make_job(SMALL, LARGE, **{"spec.finetune": {"workers": {"group": "gpu", "replicas": 1}}})
    assert [(group.name, len(group.slots)) for group in worker_groups(job, Stage.select)] == [("cpu", 12), ("gpu", 8)]
    (group,) = worker_groups(job, Stage.finetune)
    assert (group.name, group.pods, group.trainer) == ("gpu", 1, Slot(cpus=4, gpus=1, group="gpu"))
    assert worker_groups(job, Stage.labels) == ()


def test_a_training_worker_without_gpus_has_its_pod_to_itself() -> None:
    (group,) = worker_groups(make_job(SMALL, **{"spec.finetune": {"workers": {"replicas": 2}}}), Stage.finetune)
    assert (group.pods, group.trainer) == (2, Slot(cpus=4, group="cpu"))


def test_a_slot_of_a_group_is_on_its_nodes_only_and_any_other_anywhere() -> None:
    assert Slot(group="gpu").labels == {GROUP_LABEL: "gpu"}
    assert Slot().labels == {}
