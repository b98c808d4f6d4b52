"""An S3 server (moto) that pods and the host reach: one process in the cluster's network, listening on both sides."""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from obstore.store import S3Store
from testbed.checkout import ROOT
from testbed.cluster import Cluster
from testbed.network import GATEWAY
from testbed.ports import LOOPBACK, HeldPort
from testbed.s3_faults import CONTROL, Fault, Met
from testbed.s3_loading import LOAD
from testbed.s3_serving import RECORD
from testbed.steps import step

PORT = 9000
INSIDE = f"http://{GATEWAY}:{PORT}"
START_SECONDS = 60.0
KEY = "testbed"
"""Any will do."""
REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Request:
    """One that was answered."""

    method: str
    path: str
    """/<bucket>/<key>"""
    status: int


@dataclass(frozen=True, slots=True)
class S3:
    """A running server; it lives as long as its cluster."""

    port: HeldPort
    folder: Path
    """Where its process keeps its files."""

    @classmethod
    def start(cls, cluster: Cluster) -> S3:
        """Start it and wait until it answers."""
        port = HeldPort.hold()
        with step("starting an S3 server"):
            command = cluster.plane.network.inside(
                sys.executable, "-m", "testbed.s3_serving", str(port.descriptor), GATEWAY, str(PORT)
            )
            environment = os.environ | {"PYTHONPATH": str(ROOT / "tests")}
            server = cls(port, cluster.instance.folder)
            service = cluster.instance.start("s3", command, environment=environment, inherits=[port.descriptor])
            service.await_ready(server._answers, seconds=START_SECONDS)
            port.release()  # the server holds it now
        return server

    @property
    def endpoint(self) -> str:
        """Of processes on the host; pods use INSIDE."""
        return f"http://{LOOPBACK}:{self.port.number}"

    def create_bucket(self, name: str) -> None:
        """Make an empty bucket."""
        urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/{name}", method="PUT")).close()

    def upload(self, folder: Path, bucket: str, prefix: str) -> int:
        """Put all files below a folder below a prefix, and return how many."""
        said = {"folder": str(folder.resolve()), "bucket": bucket, "prefix": prefix}
        count: int = json.loads(self._ask(LOAD, "POST", json.dumps(said)))
        return count

    def write(self, uri: str, content: bytes) -> None:
        """Make an object, or replace it."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        self._store(bucket).put(key, content)

    def read(self, uri: str) -> bytes:
        """Return an object."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return bytes(self._store(bucket).get(key).bytes())

    def read_json(self, uri: str) -> Any:
        """Return what an object says; its shape is the caller's to know."""
        return json.loads(self.read(uri))

    def list(self, uri: str) -> list[str]:
        """Return the keys that begin as a URI does."""
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        return [found["path"] for page in self._store(bucket).list(prefix) for found in page]

    def inject(self, fault: Fault) -> None:
        """Let requests meet a fault from now on; it takes the place of one with the same pattern."""
        self._ask(CONTROL, "PUT", json.dumps(asdict(fault)))

    def lift(self, pattern: str) -> None:
        """End a fault: what it kept waiting goes on."""
        self._ask(CONTROL, "DELETE", pattern)

    def met(self, pattern: str) -> Met:
        """Return what met faults of a pattern so far."""
        return Met(**json.loads(self._ask(CONTROL, "GET", pattern)))

    def _ask(self, path: str, method: str, body: str) -> bytes:
        request = urllib.request.Request(f"{self.endpoint}{path}", body.encode(), method=method)
        with urllib.request.urlopen(request) as answer:
            content: bytes = answer.read()
            return content

    def requests(self) -> Iterator[Request]:
        """Yield all requests so far in the order in which they were answered."""
        for line in (self.folder / RECORD).read_text().splitlines():
            yield Request(*json.loads(line))

    def _store(self, bucket: str) -> S3Store:
        return S3Store(
            bucket,
            endpoint=self.endpoint,
            access_key_id=KEY,
            secret_access_key=KEY,
            region=REGION,
            client_options={"allow_http": True},
        )

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(self.endpoint, timeout=1).close()
        except OSError:
            return False
        return True


def variables(endpoint: str = INSIDE) -> dict[str, str]:
    """Return what a process needs to use the server; of a pod, or with another endpoint of the host."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_REGION": REGION,
        "AWS_ALLOW_HTTP": "true",
    }
