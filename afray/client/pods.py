"""The log of a driver while its pods are there: the submitter's, which carries it, else the head's, which starts Ray.

KubeRay's submitter follows the driver to its end, so its log is the driver's; before it runs, only a head has a story.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import datetime
from itertools import dropwhile
from typing import Any, Final

from kubernetes.client import CoreV1Api
from pydantic import BaseModel, ConfigDict, JsonValue
from pydantic.alias_generators import to_camel

from afray.client.answers import Question, answering
from afray.client.connecting import ANSWER_SECONDS, CONNECT_SECONDS, Cluster
from afray.client.faults import ClusterFault, ServerUnreachable
from afray.contract.names import ATTEMPT_LABEL, JOB_LABEL, STAGE_LABEL, Stage

SUBMITTER: Final = "ray-job-submitter"
"""KubeRay's name for the container."""
RAY: Final = "ray"
"""The operator's name for the one in heads and workers."""
NODE_TYPE_LABEL: Final = "ray.io/node-type"
FOLLOWED_SECONDS: Final = 3600
"""A followed log may be silent for so long; then it is read anew."""
_MOST_FAILURES: Final = 30
_PAUSE_SECONDS: Final = 2.0
_Line = tuple[str, str]
"""Time stamp, as kubelets write it in one width, and text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodLog:
    """A container that has started, so there is a log of it."""

    pod: str
    container: str
    is_driver: bool
    """Whether the driver's own lines are in it."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, validate_by_alias=True)


class _Metadata(_Part):
    name: str
    creation_timestamp: datetime
    labels: dict[str, str] = {}


class _Container(_Part):
    name: str
    state: dict[str, JsonValue] = {}
    """One of waiting, running, terminated, with details."""


class _PodStatus(_Part):
    container_statuses: tuple[_Container, ...] = ()


class Pod(_Part):
    """A pod as far as its logs go."""

    metadata: _Metadata
    status: _PodStatus = _PodStatus()

    def logs(self) -> Iterator[PodLog]:
        """The containers that tell of a driver."""
        is_head = self.metadata.labels.get(NODE_TYPE_LABEL) == "head"
        for container in self.status.container_statuses:
            is_driver = container.name == SUBMITTER
            tells = is_driver or (is_head and container.name == RAY)
            if tells and container.state.keys() & {"running", "terminated"}:
                yield PodLog(pod=self.metadata.name, container=container.name, is_driver=is_driver)


class PodList(_Part):
    """What the API server answers."""

    items: tuple[Pod, ...]


def choose(pods: Iterable[Pod]) -> PodLog | None:
    """The log to show of an attempt's pods: the driver's, the newest; None if nothing has started."""
    newest_first = sorted(pods, key=lambda pod: pod.metadata.creation_timestamp, reverse=True)
    logs = [log for pod in newest_first for log in pod.logs()]
    return min(logs, key=lambda log: not log.is_driver, default=None)


class Pods:
    """The pods of a namespace. Methods raise what `answers.fault` makes of the server's answer."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._api = CoreV1Api(cluster.client)

    def find(self, job: str, stage: Stage, attempt: int) -> PodLog | None:
        """The log of an attempt; None if no pod of it has one."""
        selector = f"{JOB_LABEL}={job},{STAGE_LABEL}={stage},{ATTEMPT_LABEL}={attempt}"
        with self._answering("list", "pods"):
            answer: Any = self._api.list_namespaced_pod(
                self._cluster.namespace, label_selector=selector, _preload_content=False,
                _request_timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
            )  # fmt: skip
            return choose(PodList.model_validate_json(answer.data).items)

    def lines(self, log: PodLog) -> Iterator[str]:
        """The log so far, line by line."""
        yield from (text for _, text in self._read(log))

    def follow(self, log: PodLog) -> Iterator[str]:
        """The log line by line until the container or its pod ends, over lost connections."""
        last, failures = "", 0
        while True:
            try:
                for stamp, text in _after(last, self._read(log, follow=True)):
                    last, failures = stamp, 0
                    yield text
                return
            except ServerUnreachable:
                failures += 1
                if failures > _MOST_FAILURES:
                    raise
                time.sleep(_PAUSE_SECONDS)
            except ClusterFault:
                if not last:
                    raise
                return  # The pod went, and its log with it.

    def _read(self, log: PodLog, *, follow: bool = False) -> Iterator[_Line]:
        patience = (CONNECT_SECONDS, FOLLOWED_SECONDS if follow else ANSWER_SECONDS)
        with self._answering("get", "pods/log", log.pod):
            answer: Any = self._api.read_namespaced_pod_log(
                log.pod, self._cluster.namespace, container=log.container, timestamps=True, follow=follow,
                _preload_content=False, _request_timeout=patience,
            )  # fmt: skip
            with closing(answer):
                for line in answer:
                    stamp, _, text = line.decode(errors="replace").rstrip("\n").partition(" ")
                    yield stamp, text

    def _answering(self, verb: str, resource: str, name: str = "") -> AbstractContextManager[None]:
        server, namespace = self._cluster.title, self._cluster.namespace
        return answering(Question(server=server, verb=verb, resource=resource, namespace=namespace, name=name))


def _after(stamp: str, lines: Iterator[_Line]) -> Iterator[_Line]:
    """The lines after a time stamp: a log that is read again begins at its beginning."""
    return dropwhile(lambda line: line[0] <= stamp, lines) if stamp else lines
