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
def source(tmp_path: Path) -> Store:
    """An empty folder for a pool."""
    (tmp_path / "pool").mkdir()
    return Store.open(str(tmp_path / "pool"))


@pytest.fixture
def output(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "out"))


@pytest.fixture(params=BOTH)
def any_source(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty place for a pool in each kind of store that is promised to work."""
    if request.param == "file":
        return Store.open(str(tmp_path / "pool"))
    server: S3Server = request.getfixturevalue("s3_server")
    return Store.open(f"{server.new_bucket()}/plant/welds", environment=server.environment)
