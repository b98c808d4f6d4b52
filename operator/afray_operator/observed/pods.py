"""Pods as facts: whether they are there, and what keeps them from running, in the words of who knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from afray_operator.manifests.pods import ROLE_LABEL
from afray_operator.observed.facts import PodSeen, Trouble
from afray_operator.observed.gpus import read_gpu_runs, read_gpus
from afray_operator.observed.json_access import Raw, block, count, entries, moment, text, texts
from afray_operator.observed.ray import clean, read_attempt, read_stage

_WAITING: Final = {
    "ErrImagePull": Trouble.image,
    "ImagePullBackOff": Trouble.image,
    "InvalidImageName": Trouble.image,
    "ErrImageNeverPull": Trouble.image,
    "RegistryUnavailable": Trouble.image,
    "CreateContainerConfigError": Trouble.configuration,
    "CreateContainerError": Trouble.configuration,
    "RunContainerError": Trouble.configuration,
    "CrashLoopBackOff": Trouble.crash,
}
"""Why a container waits, where waiting alone does not help."""


def read_pod(raw: Raw) -> PodSeen:
    """A pod, whatever it holds."""
    metadata, status = block(raw, "metadata"), block(raw, "status")
    labels = texts(metadata, "labels")
    trouble, said = min(_troubles(status), key=lambda found: list(Trouble).index(found[0]), default=(None, ""))
    return PodSeen(
        name=text(metadata, "name"),
        role=labels.get(ROLE_LABEL, ""),
        stage=read_stage(labels),
        attempt=read_attempt(labels),
        is_finished=text(status, "phase") in ("Succeeded", "Failed"),
        is_ready=any(
            condition.get("type") == "Ready" and condition.get("status") == "True"
            for condition in entries(status, "conditions")
        ),
        gone_by=moment(metadata, "deletionTimestamp"),
        trouble=trouble,
        said=said,
        last_words=next(filter(None, map(_last_words, entries(status, "containerStatuses"))), ""),
        created=moment(metadata, "creationTimestamp"),
        containers=tuple(text(one, "name") for one in _containers(block(raw, "spec"))),
        gpus=read_gpus(raw),
        gpu_runs=tuple(read_gpu_runs(raw)),
    )


def _containers(spec: Raw) -> Iterator[Raw]:
    yield from entries(spec, "initContainers")
    yield from entries(spec, "containers")


def _troubles(status: Raw) -> Iterator[tuple[Trouble, str]]:
    for container in (*entries(status, "initContainerStatuses"), *entries(status, "containerStatuses")):
        waiting = block(container, "state", "waiting")
        if (trouble := _WAITING.get(text(waiting, "reason"))) is not None:
            words = _last_words(container) if trouble is Trouble.crash else ""
            yield trouble, _said(text(waiting, "reason"), words or text(waiting, "message"), text(container, "image"))
    for condition in entries(status, "conditions"):
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            yield Trouble.unschedulable, clean(text(condition, "message"))


def _said(reason: str, message: str, image: str) -> str:
    return f"{reason}: {clean(message)}" if message else f"{reason} ({image})"


def _last_words(container: Raw) -> str:
    """How the container ended last, if it failed; the kubelet keeps the end of its log as its message."""
    for when in ("state", "lastState"):
        ended = block(container, when, "terminated")
        code = count(ended, "exitCode")
        if code:
            lines = [clean(line) for line in text(ended, "message").splitlines() if line.strip()]
            return f"exit code {code}: {lines[-1]}" if lines else f"exit code {code}"
    return ""
