"""What pod templates may say to Kubernetes, and what would then fail far from its cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from afray.api.checks import violation
from afray.api.checks.pods import clear_secret
from afray.api.job import SelectionJob
from afray.api.problems import Problem

Template = Mapping[str, object]


def templates(job: SelectionJob) -> Iterator[tuple[str, Template]]:
    """Yield (path below spec, template) of the head and of each worker group."""
    if job.spec.cluster is not None:
        yield "cluster.head.template", job.spec.cluster.head.template
        for position, group in enumerate(job.spec.cluster.workers):
            yield f"cluster.workers[{position}].template", group.template


def head_under_another_account(job: SelectionJob) -> Iterator[Problem]:
    """The right to tell progress is given to the account of the pods; a head under another one works unheard."""
    spec = job.spec.cluster.head.template.get("spec") if job.spec.cluster is not None else None
    account = spec.get("serviceAccountName") if isinstance(spec, Mapping) else None
    if account:
        problem = "takes from the head the account that may tell progress"
        remedy = "Name it in runtime.serviceAccountName, which holds for all pods."
        yield violation("cluster.head.template.spec.serviceAccountName", account, problem, remedy)


def secret_in_a_template(job: SelectionJob) -> Iterator[Problem]:
    """As in runtime.env: a manifest is stored in etcd and git."""
    for path, template in templates(job):
        for place, variable in _variables(path, template):
            name = variable.get("name")
            if isinstance(name, str):
                yield from clear_secret(place, name, variable.get("value"))


def _variables(path: str, template: Template) -> Iterator[tuple[str, Template]]:
    spec = template.get("spec")
    for kind in ("initContainers", "containers"):
        for position, container in _entries(spec, kind):
            for number, variable in _entries(container, "env"):
                yield f"{path}.spec.{kind}[{position}].env[{number}]", variable


def _entries(block: object, name: str) -> Iterator[tuple[int, Template]]:
    """The mappings of a list, with their places; a template may hold anything."""
    found = block.get(name) if isinstance(block, Mapping) else None
    for position, entry in enumerate(found if isinstance(found, list | tuple) else ()):
        if isinstance(entry, Mapping):
            yield position, entry
