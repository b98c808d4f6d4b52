"""Nothing is committed that belongs to one machine, one index, or nobody's eyes.

The patterns are put together from pieces, so that this file does not match itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from helpers.repository import repository_files, say, tracked_names, unignored_names

LARGEST_BYTES = 1_000_000
LARGE_FILES: frozenset[str] = frozenset()
"""Files that may be larger, each with a reason beside it."""


def _either(*parts: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join("".join(pieces) for pieces in parts))


REGISTRIES = _either(
    ("pypi", r"\.(org|python)"), ("python", "hosted"), ("download", r"\.pytorch"), ("conda", r"\.anaconda"),
    ("npm", r"js\.(org|com)"), ("crates", r"\.io"), ("proxy", r"\.golang"), ("simple", "/torch"),
)  # fmt: skip
MACHINES = _either(
    (r"(?<![\w.-])", "/", r"(work|root|Users)/\w"), ("/", "tmp/", "brief"), ("/", "opt/", "wheels"),
    (r"\bC:", r"\\Users"),
)  # fmt: skip
SECRETS = _either(
    ("AK", "IA", "[0-9A-Z]{16}"), ("-----BEGIN ", "[A-Z ]*", "PRIVATE KEY"), ("gh", "[opsu]_", "[A-Za-z0-9]{30}"),
    ("github", "_pat_", r"\w{30}"), ("hf", "_", "[A-Za-z]{30}"), ("xox", "[abps]-", "[0-9A-Za-z-]{20}"),
    ("AI", "za", "[0-9A-Za-z_-]{35}"), ("sk", "-", "[A-Za-z0-9_-]{40}"), ("glpat", "-", r"[\w-]{20}"),
    ("ey", "J", r"[\w-]{20,}\.ey", r"J[\w-]{20,}\."),
)  # fmt: skip

FORBIDDEN = {"package registry": REGISTRIES, "path of one machine": MACHINES, "secret": SECRETS}


def matches(pattern: re.Pattern[str], text: str) -> Iterable[str]:
    return (found.group() for found in pattern.finditer(text))


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_no_file_names_a(kind: str) -> None:
    found = {
        say(path): hits
        for path in repository_files()
        if (hits := set(matches(FORBIDDEN[kind], path.read_text(errors="replace"))))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("package registry", "--index-url https://" + "pypi" + ".org/simple"),
        ("package registry", "https://files." + "python" + "hosted.org/packages"),
        ("package registry", "https://" + "download" + ".pytorch.org/whl/cpu"),
        ("path of one machine", "open('/" + "root/data.csv')"),
        ("path of one machine", "file:///" + "work/main"),
        ("path of one machine", "/" + "Users/ann/welds"),
        ("secret", "AK" + "IA" + "ABCDEFGHIJKLMNOP"),
        ("secret", "-----BEGIN " + "RSA PRIVATE KEY-----"),
        ("secret", "gh" + "p_" + "a1B2" * 9),
        ("secret", "hf" + "_" + "aBcD" * 9),
    ],
)
def test_the_patterns_see_a(kind: str, text: str) -> None:
    assert FORBIDDEN[kind].search(text)


@pytest.mark.parametrize(
    "text", ["s3://plant/work/a.png", "./work/a.png", "the root/leaf", "torch", "sk-learn-like-words"]
)
def test_the_patterns_let_ordinary_text_pass(text: str) -> None:
    assert not any(pattern.search(text) for pattern in FORBIDDEN.values())


def test_files_are_small() -> None:
    large = {say(path) for path in repository_files() if path.stat().st_size > LARGEST_BYTES}
    assert large <= LARGE_FILES


def test_an_unpacked_archive_is_looked_through_as_a_checkout_is() -> None:
    assert tracked_names() - unignored_names() == set()
    assert len(repository_files()) > 100
