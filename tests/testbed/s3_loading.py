"""Many files at once into the S3 server's own state: ten thousand requests would take it most of a minute.

test --LOAD a folder--> Loading --all other requests--> Faults, moto
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LOAD = "/-/load"
"""No bucket can be called so."""


@dataclass(frozen=True, slots=True)
class Loading:
    """The application of a server, with the request to load a folder before it."""

    application: WSGIApplication

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, of the test or of a client."""
        if environ["PATH_INFO"] != LOAD:
            return self.application(environ, start_response)
        said = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        count = load(Path(said["folder"]), said["bucket"], said["prefix"])
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(count).encode()]


def load(folder: Path, bucket: str, prefix: str) -> int:
    """Put all files below a folder below a prefix, and return how many."""
    state = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        state.put_object(bucket, f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())
    return len(files)
