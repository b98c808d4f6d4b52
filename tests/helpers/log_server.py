"""An API server on loopback as far as pod logs go: it answers by a script, and may break off in the middle."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Answer:
    """Lines of a log as a kubelet stamps them; `whole` is False where the connection breaks after them."""

    lines: tuple[str, ...] = ()
    whole: bool = True
    status: int = 200

    def content(self) -> bytes:
        """The body: one time stamp a line, all of one width."""
        stamped = (f"2026-11-25T12:00:{at:02}.000000000Z {line}\n" for at, line in enumerate(self.lines))
        return "".join(stamped).encode()


@dataclass
class LogServer:
    """The script, and the queries that came."""

    answers: list[Answer]
    queries: list[dict[str, list[str]]] = field(default_factory=list)


@contextmanager
def serving(server: LogServer) -> Iterator[str]:
    """Run it and give its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.queries.append(parse_qs(urlsplit(self.path).query))
            answer = server.answers.pop(0)
            self.send_response(answer.status)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in answer.content().splitlines(keepends=True):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            if answer.whole:
                self.wfile.write(b"0\r\n\r\n")
            self.close_connection = True

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}"
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()
