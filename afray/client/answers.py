"""What an API server says when it says no, turned into one of our errors with the next step."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import urllib3
from kubernetes.client.exceptions import ApiException
from pydantic import BaseModel, ConfigDict, ValidationError

from afray.api.job import API_VERSION, GROUP, PLURAL
from afray.api.problems import InvalidManifest, Problem
from afray.client.faults import (
    ClusterFault,
    HistoryExpired,
    JobExists,
    JobMissing,
    NotPermitted,
    ServerUnreachable,
)
from afray.errors import AfrayError, EnvironmentFault

_REMEDY: Final = (
    f"`afray validate --for cluster` found nothing, so the CRD {PLURAL}.{GROUP} is of another version than this "
    "afray: upgrade the chart, or use its version"
)
_VALUE: Final = re.compile(r"^(?:Invalid|Unsupported|Duplicate) value: (.+?): (.+)$", re.DOTALL)
"""How an API server begins, such as `Invalid value: 5: spec.seed in body should be ...`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was asked of which server, for messages."""

    server: str
    verb: str
    """As RBAC calls it."""
    resource: str
    namespace: str
    """The empty text stands for all."""
    name: str = ""

    @property
    def place(self) -> str:
        """Where it was asked for."""
        return f"namespace {self.namespace!r}" if self.namespace else "all namespaces"


class _Cause(BaseModel):
    model_config = ConfigDict(extra="ignore")
    field: str = ""
    message: str = ""


class _Details(BaseModel):
    model_config = ConfigDict(extra="ignore")
    kind: str = ""
    causes: tuple[_Cause, ...] = ()


class _Status(BaseModel):
    """metav1.Status, as far as it is read."""

    model_config = ConfigDict(extra="ignore")
    reason: str = ""
    message: str = ""
    details: _Details = _Details()


@contextmanager
def answering(question: Question) -> Iterator[None]:
    """Raise one of our errors where the client raises one of its own."""
    try:
        yield
    except ApiException as error:
        raise fault(question, int(error.status or 0), error.body or str(error.reason)) from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise ServerUnreachable(
            f"{question.server} does not answer ({_first_cause(error)}). Check network, VPN and context, then repeat"
        ) from None


def fault(question: Question, code: int, body: str) -> AfrayError:
    """The error for an answer with this HTTP code; 0 stands for a connection that could not be made safe."""
    status = _parse(body)
    said = " ".join(status.message.split()) or f"HTTP {code}"
    match code:
        case 0:
            return EnvironmentFault(
                f"{question.server}: no secure connection ({said}). Check the context's certificate-authority"
            )
        case 401:
            return EnvironmentFault(
                f"{question.server} refuses these credentials: expired or unknown. "
                "Log in again, as for kubectl, then repeat"
            )
        case 403:
            return NotPermitted(
                f"{said}. Needed: the verb {question.verb} on {question.resource} in {question.place}; "
                "ask whoever runs the cluster"
            )
        case 404:
            return _missing(question, status)
        case 409 if status.reason == "AlreadyExists":
            return JobExists(said)
        case 410:
            return HistoryExpired(said)
        case 400 | 422:
            return InvalidManifest("API server", _problems(status, said))
        case 409 | 429:
            return ServerUnreachable(f"{question.server} is busy: {said}. Repeat in a moment")
        case _ if code >= 500:
            return ServerUnreachable(f"{question.server} answers {code}: {said}. Repeat in a moment")
    return ClusterFault(f"{question.server} answers {code}: {said}")


def _missing(question: Question, status: _Status) -> AfrayError:
    if status.details.kind == "namespaces":
        return ClusterFault(
            f"there is no namespace {question.namespace!r}. See: kubectl get namespaces; choose with --namespace"
        )
    if question.resource != PLURAL:
        return ClusterFault(f"{question.server}: {status.message or 'there is no such object'}")
    if status.details.kind == PLURAL:
        return JobMissing(question.name, question.namespace)
    return EnvironmentFault(
        f"{question.server} does not know SelectionJobs ({API_VERSION}). Install the chart: helm install afray "
        "charts/afray, or choose another --context"
    )


def _problems(status: _Status, said: str) -> tuple[Problem, ...]:
    causes = [(cause.field, cause.message) for cause in status.details.causes if cause.field]
    unknown = re.findall(r'(unknown|duplicate) field "([^"]+)"', said)
    found = causes or [(field, f"is a field that is {kind}") for kind, field in unknown] or [("manifest", said)]
    return tuple(_problem(field, message) for field, message in found)


def _problem(field: str, message: str) -> Problem:
    parts = _VALUE.match(message)
    value, problem = parts.groups() if parts else ("as in the manifest", message)
    return Problem(field=field, value=value, problem=problem, remedy=_REMEDY)


def _parse(body: str) -> _Status:
    try:
        return _Status.model_validate_json(body)
    except ValidationError:
        return _Status(message=body)


def _first_cause(error: BaseException) -> str:
    """The innermost reason: urllib3 wraps what a person wants to know."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return " ".join(str(error).split()) or type(error).__name__
