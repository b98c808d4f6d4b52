"""A real S3 protocol server on loopback (moto), for tests that must not trust a fake of our own.

Its state is in memory, it accepts any credentials, and it refuses to create an object twice, as S3 does.
"""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

START_SECONDS = 60


@dataclass(frozen=True)
class S3Server:
    """A running server; `environment` is what a process needs to use it."""

    endpoint: str
    environment: Mapping[str, str]
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def new_bucket(self) -> str:
        """Create an empty bucket and return its URI."""
        name = f"bucket-{next(self._numbers)}"
        request = urllib.request.Request(f"{self.endpoint}/{name}", method="PUT")
        with urllib.request.urlopen(request):
            return f"s3://{name}"

    def put(self, uri: str, content: bytes) -> None:
        """Store an object without any library's idea of names: `uri` is taken byte by byte."""
        path = urllib.parse.quote(uri.removeprefix("s3://"))
        headers = {"Content-Type": "application/octet-stream"}
        request = urllib.request.Request(f"{self.endpoint}/{path}", data=content, headers=headers, method="PUT")
        urllib.request.urlopen(request).close()


@contextmanager
def running_s3_server(*arguments: str) -> Iterator[S3Server]:
    """Start a server on a free port and end it afterwards; `arguments` go to moto."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await_port(process, port)
        yield S3Server(f"http://127.0.0.1:{port}", environment(f"http://127.0.0.1:{port}"))
    finally:
        process.kill()
        process.wait()


def environment(endpoint: str) -> dict[str, str]:
    """Return the variables that point a process to an S3 server on loopback."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "loopback",
        "AWS_SECRET_ACCESS_KEY": "only-for-tests",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
    }


def free_port() -> int:
    """Return a port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_port(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "the S3 server ended; is moto[server] installed?"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the S3 server did not listen in time")
