"""Faults of the S3 server at chosen requests: answers that wait, are late, or errors. So a job stands where it shall.

test --control requests--> Faults --all others, once they may--> moto
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CONTROL = "/-/faults"
"""No bucket can be called so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to requests for some objects: without a status they wait."""

    pattern: str
    """A regular expression that the path, /<bucket>/<key>, begins with."""
    method: str = "GET"
    seconds: float | None = None
    """How late the answer comes; None: not before the fault is lifted."""
    times: int | None = None
    """How many requests it holds for; None: all."""
    status: int | None = None
    """Of the answer, where it is an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """How many requests met the last fault of some pattern, and how many of them wait just now."""

    requests: int
    waiting: int


@dataclass(slots=True)
class Faults:
    """The application of a server, with faults before it."""

    application: WSGIApplication
    _active: dict[str, tuple[Fault, threading.Event]] = field(default_factory=dict)
    _requests: Counter[str] = field(default_factory=Counter)
    _waiting: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, of the test or of a client."""
        if environ["PATH_INFO"] == CONTROL:
            start_response("200 OK", [("Content-Type", "application/json")])
            return [self._control(environ)]
        status = self._stand(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if status is None:
            return self.application(environ, start_response)
        start_response(f"{status} Fault", [("Content-Length", "0")])
        return [b""]

    def _control(self, environ: WSGIEnvironment) -> bytes:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        match environ["REQUEST_METHOD"]:
            case "PUT":
                fault = Fault(**json.loads(body))
                self._lift(fault.pattern)
                self._requests[fault.pattern] = 0
                self._active[fault.pattern] = (fault, threading.Event())
            case "DELETE":
                self._lift(body.decode())
            case _:
                pattern = body.decode()
                met = Met(requests=self._requests[pattern], waiting=self._waiting[pattern])
                return json.dumps(asdict(met)).encode()
        return b"{}"

    def _lift(self, pattern: str) -> None:
        with self._lock:
            _, lifted = self._active.pop(pattern, (None, None))
        if lifted is not None:
            lifted.set()

    def _stand(self, method: str, path: str) -> int | None:
        """Keep a request as long as its fault says; returns the status of an error to answer with."""
        found = self._meet(method, path)
        if found is None:
            return None
        fault, lifted = found
        if fault.status is None:
            with self._lock:
                self._waiting[fault.pattern] += 1
            lifted.wait(fault.seconds)
            with self._lock:
                self._waiting[fault.pattern] -= 1
        return fault.status

    def _meet(self, method: str, path: str) -> tuple[Fault, threading.Event] | None:
        with self._lock:
            for fault, lifted in self._active.values():
                if fault.method == method and re.match(fault.pattern, path):
                    self._requests[fault.pattern] += 1
                    is_over = fault.times is not None and self._requests[fault.pattern] > fault.times
                    return None if is_over else (fault, lifted)
        return None
