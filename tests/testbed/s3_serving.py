"""The process of the S3 server: one state, two sockets, one of the host and one of the cluster's network.

In its folder it writes down every request as it is answered, and reads which ones to answer late.
"""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

RECORD = Path("s3-requests.jsonl")
DELAYS = Path("s3-delays.json")
"""Seconds by regular expression of the path; a file that is replaced, not written into."""


class Recorder(WSGIRequestHandler):
    """Writes down requests in the order in which they are answered."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        line = json.dumps([self.command, self.path.partition("?")[0], int(code)])
        with RECORD.open("a") as record:
            record.write(line + "\n")


def with_delays(application: WSGIApplication) -> WSGIApplication:
    """Answer late, as long as a file says so."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        time.sleep(delay(environ["PATH_INFO"]))
        return application(environ, start_response)

    return answer


def delay(path: str) -> float:
    """Return by how many seconds a request is late."""
    try:
        delays: dict[str, float] = json.loads(DELAYS.read_text())
    except FileNotFoundError:
        return 0
    return max((seconds for pattern, seconds in delays.items() if re.match(pattern, path)), default=0)


def _serve(descriptor: int, address: str, port: int) -> None:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    application = with_delays(DomainDispatcherApplication(create_backend_app))
    inside = make_server(address, port, application, threaded=True, request_handler=Recorder)
    threading.Thread(target=inside.serve_forever, daemon=True).start()
    socket.socket(fileno=os.dup(descriptor)).listen(128)
    outside = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Recorder, fd=descriptor)
    outside.serve_forever()


if __name__ == "__main__":
    _serve(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
