"""The example of docs/sharing.md: the page and the files say the same, and the files fit each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import yaml
from afray_operator.manifests.ownership import Owner
from afray_operator.manifests.rayjobs import Attempt, ray_job
from helpers import sharing
from helpers.repository import code_blocks, code_lines, link_targets
from helpers.sharing import ASSEMBLY, INSPECTION, QUEUE

from afray.api.loading import load
from afray.api.quantities import amount
from afray.api.rules import Target
from afray.api.stages import Stage
from afray.contract.names import PRIORITY_LABEL, QUEUE_LABEL

TEXT = sharing.PAGE.read_text()
FILES = {path.name: path.read_text() for path in sharing.FOLDER.iterdir()}
GPU = "nvidia.com/gpu"
RESOURCES = ("cpu", "memory", GPU)


def test_the_page_links_to_every_file() -> None:
    linked = {link.rpartition("/")[2] for link in link_targets(TEXT) if "examples/sharing/" in link}
    assert linked == set(FILES)
    assert {path.name for path in (*sharing.APPLIED, sharing.POLICY, sharing.JOB)} == set(FILES)


def test_the_command_on_the_page_applies_the_files_that_are_tested_on_a_cluster() -> None:
    (command,) = (line for line in code_lines(TEXT) if line.startswith("kubectl apply"))
    named = [word.rpartition("/")[2] for word in command.split() if word.startswith("examples/")]
    assert named == [path.name for path in sharing.APPLIED]


@pytest.mark.parametrize("block", code_blocks(TEXT, "yaml"), ids=lambda block: block.split()[0])
def test_what_the_page_shows_stands_in_a_file(block: str) -> None:
    assert [name for name, text in FILES.items() if block in text]


def one(kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
    (found,) = (
        each
        for each in sharing.objects()
        if (each["kind"], each["metadata"]["name"], each["metadata"].get("namespace")) == (kind, name, namespace)
    )
    return found


def quotas(team: str) -> dict[str, dict[str, Any]]:
    """Of a team's queue, by resource."""
    (group,) = one("ClusterQueue", team)["spec"]["resourceGroups"]
    (flavor,) = group["flavors"]
    assert one("ResourceFlavor", flavor["name"])
    assert set(group["coveredResources"]) == {quota["name"] for quota in flavor["resources"]}
    return {quota["name"]: quota for quota in flavor["resources"]}


@pytest.mark.parametrize("team", [INSPECTION, ASSEMBLY])
def test_a_team_may_borrow_what_the_other_owns_and_a_job_may_ask_for_that_much(team: str) -> None:
    other = ASSEMBLY if team == INSPECTION else INSPECTION
    for name, quota in quotas(team).items():
        assert quota["borrowingLimit"] == quotas(other)[name]["nominalQuota"]
    policy = yaml.safe_load(FILES["policy-values.yaml"])["admissionPolicy"]
    assert policy["maxGpus"] == quotas(team)[GPU]["nominalQuota"] + quotas(team)[GPU]["borrowingLimit"]
    labels = one("Namespace", team)["metadata"]["labels"]
    assert policy["namespaceSelector"]["matchLabels"].items() <= labels.items()
    assert one("LocalQueue", QUEUE, team)["spec"] == {"clusterQueue": team}


def test_the_job_names_a_queue_and_a_priority_that_are_there() -> None:
    metadata = sharing.job()["metadata"]
    assert one("LocalQueue", metadata["labels"][QUEUE_LABEL], metadata["namespace"])
    assert one("WorkloadPriorityClass", metadata["labels"][PRIORITY_LABEL])


def test_the_pods_of_the_job_ask_for_what_the_page_says_and_fit_what_the_team_owns() -> None:
    asked: defaultdict[str, Decimal] = defaultdict(Decimal)
    for pod, count in pods():
        for container in pod["spec"]["containers"]:
            for name, quantity in container["resources"]["requests"].items():
                asked[name] += amount(quantity) * count
    owned = {name: amount(str(quota["nominalQuota"])) for name, quota in quotas(INSPECTION).items()}
    assert {name: asked[name] <= owned[name] for name in RESOURCES} == dict.fromkeys(RESOURCES, True)
    gibibytes = round(asked["memory"] / 2**30, 1)
    assert f"counts {asked['cpu'].normalize()} CPUs, {gibibytes}Gi and {asked[GPU]} GPU:" in TEXT


def pods() -> Iterator[tuple[dict[str, Any], int]]:
    """Templates of the selection's pods, each with the number of such pods."""
    job = load(sharing.JOB, target=Target.cluster)
    owner = Owner(namespace=INSPECTION, name=job.metadata.name, uid="1")
    made: Any = ray_job(Attempt(owner=owner, job=job, labels=job.metadata.labels, stage=Stage.select, number=1))
    cluster = made["spec"]["rayClusterSpec"]
    yield made["spec"]["submitterPodTemplate"], 1
    yield cluster["headGroupSpec"]["template"], 1
    for group in cluster["workerGroupSpecs"]:
        yield group["template"], group["replicas"]
