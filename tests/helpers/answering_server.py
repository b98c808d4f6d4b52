"""An HTTP server on loopback that gives every request the same answer: for what no well-behaved store says."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """What is said; `requests` are the request lines received so far."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: threading.Event | None = None
    """The answer waits for it."""
    other_statuses: Mapping[str, int] = field(default_factory=dict)
    """By method, where they differ."""
    requests: list[str] = field(default_factory=list)


@contextmanager
def answering(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Run the server and give its endpoint."""

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            answer.requests.append(self.requestline)
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if answer.delay is not None:
                answer.delay.wait()
            self.send_response(answer.other_statuses.get(self.command, answer.status))
            for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = respond  # noqa: N815 - the library's names

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *arguments: object) -> None:
            """Say nothing: clients that give up, or do not trust us, are what is tested."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        if answer.delay is not None:
            answer.delay.set()
        server.shutdown()
        thread.join()
        server.server_close()
