"""What an API server's refusals become: an exit code and one line with the next step. Bodies as a 1.35 server sends."""

from __future__ import annotations

import json

import pytest
import urllib3

from afray.api.problems import InvalidManifest
from afray.client.answers import Question, answering, fault
from afray.client.faults import ClusterFault, HistoryExpired, JobExists, JobMissing, NotPermitted, ServerUnreachable
from afray.errors import EnvironmentFault

GET = Question(
    server="https://10.0.0.1:6443 (context plant)",
    verb="get",
    resource="selectionjobs",
    namespace="plant",
    name="welds",
)
CREATE = Question(server=GET.server, verb="create", resource="selectionjobs", namespace="plant")


def body(code: int, reason: str, message: str, **details: object) -> str:
    said = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
    return json.dumps({**said, "reason": reason, "message": message, "details": details})


@pytest.mark.parametrize(
    ("code", "content", "kind", "exit_code", "words"),
    [
        (
            404, body(404, "NotFound", 'selectionjobs.afray.dev "welds" not found', name="welds", kind="selectionjobs"),
            JobMissing, 66, ["'welds'", "'plant'", "afray get --all-namespaces"],
        ),
        (404, "404 page not found\n", EnvironmentFault, 67, ["afray.dev/v1alpha1", "Install the chart", "plant"]),
        (
            404, body(404, "NotFound", "the server could not find the requested resource"),
            EnvironmentFault, 67, ["Install the chart"],
        ),
        (
            404, body(404, "NotFound", 'namespaces "plant" not found', name="plant", kind="namespaces"),
            ClusterFault, 66, ["no namespace 'plant'", "--namespace"],
        ),
        (
            403, body(403, "Forbidden", 'selectionjobs.afray.dev "welds" is forbidden: User "ann" cannot get'),
            NotPermitted, 66, ['User "ann" cannot get', "the verb get on selectionjobs in namespace 'plant'"],
        ),
        (401, body(401, "Unauthorized", "Unauthorized"), EnvironmentFault, 67, ["expired", "Log in again"]),
        (409, body(409, "AlreadyExists", "it exists"), JobExists, 69, ["it exists"]),
        (409, body(409, "Conflict", "the object has been modified"), ServerUnreachable, 74, ["Repeat"]),
        (410, body(410, "Expired", "too old resource version"), HistoryExpired, 74, ["too old"]),
        (429, body(429, "TooManyRequests", "slow down"), ServerUnreachable, 74, ["busy", "Repeat"]),
        (503, "upstream\nis down", ServerUnreachable, 74, ["answers 503: upstream is down", "Repeat"]),
        (405, body(405, "MethodNotAllowed", "not here"), ClusterFault, 66, ["405", "not here"]),
        (0, "SSLError\ncertificate verify failed", EnvironmentFault, 67, ["certificate-authority", "verify failed"]),
    ],
)  # fmt: skip
def test_an_answer_is_one_line_with_the_next_step(
    code: int, content: str, kind: type[Exception], exit_code: int, words: list[str]
) -> None:
    error = fault(GET, code, content)
    assert (type(error), error.exit_code) == (kind, exit_code)
    for word in words:
        assert word in str(error)
    assert "\n" not in str(error)


def test_refused_fields_are_problems_of_the_manifest() -> None:
    said = 'SelectionJob.afray.dev "welds" is invalid: spec.seed: Invalid value: -1: should be at least 0'
    causes = [
        {"reason": "FieldValueInvalid", "field": "spec.seed", "message": "Invalid value: -1: should be at least 0"},
        {"reason": "FieldValueRequired", "field": "spec.pool", "message": "Required value"},
    ]
    error = fault(CREATE, 422, body(422, "Invalid", said, causes=causes))
    assert isinstance(error, InvalidManifest)
    assert error.exit_code == 64
    assert [(p.field, p.value, p.problem) for p in error.problems] == [
        ("spec.seed", "-1", "should be at least 0"),
        ("spec.pool", "as in the manifest", "Required value"),
    ]
    assert "upgrade the chart" in error.problems[0].remedy


def test_fields_that_the_crd_lacks_are_named() -> None:
    said = (
        'SelectionJob in version "v1alpha1" cannot be handled as a SelectionJob: strict decoding error: '
        'unknown field "spec.stratum", unknown field "spec.pool.colour"'
    )
    error = fault(CREATE, 400, body(400, "BadRequest", said))
    assert isinstance(error, InvalidManifest)
    assert [problem.field for problem in error.problems] == ["spec.stratum", "spec.pool.colour"]


def test_another_refusal_keeps_the_servers_sentence() -> None:
    error = fault(CREATE, 400, body(400, "BadRequest", "name is too odd"))
    assert isinstance(error, InvalidManifest)
    assert error.problems[0].problem == "name is too odd"


def refuse_connection() -> None:
    try:
        raise ConnectionRefusedError(111, "Connection refused")
    except OSError as cause:
        raise urllib3.exceptions.ProtocolError("wrapped") from cause


def test_no_connection_names_the_server_and_the_first_cause() -> None:
    with pytest.raises(ServerUnreachable, match=r"10\.0\.0\.1.*Connection refused.*Check network"), answering(GET):
        refuse_connection()
