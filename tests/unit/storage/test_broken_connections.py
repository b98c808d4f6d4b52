"""An answer that is lost on its way: the write was done, its repetition finds the object there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from helpers.breaking_proxy import Breaks, breaking_proxy
from helpers.owners import NEVER_WAITING, owner_here
from helpers.s3_server import S3Server, environment

from afray.storage.commits import commit, read_blob
from afray.storage.ownership import Ownership, probe_conditional_create
from afray.storage.store import Store

pytestmark = pytest.mark.s3

SPEC = "sha256-of-a-spec"


@pytest.fixture
def breaks() -> Breaks:
    return Breaks()


@pytest.fixture
def shaky(s3_server: S3Server, breaks: Breaks) -> Iterator[Store]:
    with breaking_proxy(s3_server.endpoint, breaks) as endpoint:
        yield Store.open(f"{s3_server.new_bucket()}/out", environment=environment(endpoint))


def test_a_repeated_creation_finds_its_own_object(shaky: Store, breaks: Breaks) -> None:
    breaks.left = 1
    assert shaky.create("a", b"1") is False
    assert shaky.read("a") == b"1"
    assert breaks.left == 0


@pytest.mark.parametrize("lost_answers", [1, 2, 3])
def test_a_commit_whose_answers_are_lost_is_still_this_writers(shaky: Store, breaks: Breaks, lost_answers: int) -> None:
    ownership = Ownership.acquire(shaky, owner_here(), SPEC, timing=NEVER_WAITING)
    breaks.left = lost_answers
    result = commit(shaky, "part", {"a": b"1", "b": b"2"}, {"rows": 2}, fence=ownership.fence)
    assert breaks.left == 0
    assert result.facts == {"rows": 2}
    assert {role: blob.key for role, blob in result.blobs.items()} == {"a": "part.1.a", "b": "part.1.b"}
    assert read_blob(shaky, result.blobs["b"]) == b"2"


def test_an_owner_whose_answer_is_lost_does_not_take_itself_for_another(shaky: Store, breaks: Breaks) -> None:
    breaks.left = 1
    assert Ownership.acquire(shaky, owner_here(), SPEC, timing=NEVER_WAITING).epoch == 1
    assert breaks.left == 0


def test_the_probe_does_not_blame_the_store_for_a_lost_answer(shaky: Store, breaks: Breaks) -> None:
    breaks.left = 1
    probe_conditional_create(shaky)
    assert breaks.left == 0
