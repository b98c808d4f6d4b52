from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.s3_server import S3Server, running_s3_server

from afray.storage.store import Store

BOTH = [pytest.param("file", id="file"), pytest.param("s3", id="s3", marks=pytest.mark.s3)]


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    with running_s3_server() as server:
        yield server


@pytest.fixture
def s3_store(s3_server: S3Server) -> Store:
    return Store.open(f"{s3_server.new_bucket()}/out", environment=s3_server.environment)


@pytest.fixture
def file_store(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "out"))


@pytest.fixture(params=BOTH)
def store(request: pytest.FixtureRequest) -> Store:
    """An empty store of each kind that is promised to work."""
    opened: Store = request.getfixturevalue(f"{request.param}_store")
    return opened
