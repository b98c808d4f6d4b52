"""The file of given cores, as people write it."""

from __future__ import annotations

import pytest

from afray.driver.given_cores import parse_ids
from afray.errors import SpecError


@pytest.mark.parametrize(
    "content",
    [b"a\n\xc3\xa4\n", b"\xef\xbb\xbfa\r\n\r\n\xc3\xa4 ", b"a\n\xc3\xa4"],
    ids=["plain", "with a mark", "no end"],
)
def test_ids_are_read_whatever_the_editor_adds(content: bytes) -> None:
    assert parse_ids(content, "cores.txt", 2) == ["a", "ä"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xe4\n", "not UTF-8"),
        (b"\n \n", "the file is empty"),
        (b"a\nb\na\n", "occurs twice"),
        (b"a\nb\nc\n", "names 3 cores, and the budget is 2 rows"),
    ],
)
def test_a_file_that_names_no_cores_is_refused_by_its_field(content: bytes, problem: str) -> None:
    with pytest.raises(SpecError, match=problem) as caught:
        parse_ids(content, "cores.txt", 2)
    assert caught.value.field == "spec.selection.core.uri"
