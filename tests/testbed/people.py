"""What people do to a job that waits for them: they answer the rows of a selection, and name their file in the spec."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping

from testbed.followed_jobs import FollowedJob
from testbed.grounds import Ground
from testbed.jobs import KIND, conditions_of

CLASSES = ("disc", "stripes")


def selected_ids(ground: Ground, output: str = "small") -> list[str]:
    """The rows to label, as selection.csv of an output lists them."""
    text = ground.storage.read(f"s3://{ground.namespace}/{output}/selection.csv").decode()
    return [row["id"] for row in csv.DictReader(text.splitlines())]


def alternating(ids: Iterable[str]) -> dict[str, str]:
    """The two classes in turn."""
    return {row_id: CLASSES[number % 2] for number, row_id in enumerate(ids)}


def write_labels(ground: Ground, name: str, labels: Mapping[str, str]) -> dict[str, str]:
    """Store a label file; returns the block that names it."""
    uri = f"s3://{ground.namespace}/{name}.csv"
    ground.storage.write(uri, "".join(f"{row},{label}\n" for row, label in {"id": "label", **labels}.items()).encode())
    return {"uri": uri, "format": "csv"}


def name_labels(ground: Ground, job: FollowedJob, labels: Mapping[str, str], *, of_round_before: bool = False) -> None:
    """Put the block into spec.labels, or into spec.previous.labels."""
    spec = {"previous": {"labels": labels}} if of_round_before else {"labels": labels}
    patch = json.dumps({"spec": spec})
    ground.kubectl("patch", KIND, job.name, "-n", ground.namespace, "--type=merge", "-p", patch)


def unfinished_workloads(ground: Ground) -> list[str]:
    """What holds quota, or waits for some."""
    found = ground.kubectl.list("workload", ground.namespace)
    return [each["metadata"]["name"] for each in found if "Finished" not in conditions_of(each)]
