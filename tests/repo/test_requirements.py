"""Installs are repeatable: every package pinned with hashes, from whatever index the machine uses."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers.repository import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FILES = {path.name: path for path in sorted((ROOT / "requirements").glob("*.txt"))}
EXTRAS = {
    "base.txt": (),
    "all.txt": ("run", "operator", "demo", "test"),
    "operator.txt": ("operator",),
    "run.txt": ("run", "demo"),
}
"""Extras of pyproject.toml that a file pins besides the dependencies of the base install."""
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
DIRECT = "afray (pyproject.toml)"


@dataclass(frozen=True)
class Pin:
    """One package of a requirement file, with its comment: who wants it."""

    requirement: Requirement
    hashes: int
    wanted_by: frozenset[str]

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str | None:
        exact = [clause.version for clause in self.requirement.specifier if clause.operator == "=="]
        return exact[0] if len(exact) == len(self.requirement.specifier) == 1 else None


def read_pins(path: Path) -> list[Pin]:
    """Pins in the order of the file; lines that go on with a backslash or an indented comment belong together."""
    blocks = re.split(r"\n(?=[^\s#])", re.sub(r"^#.*\n", "", path.read_text(), flags=re.MULTILINE).strip())
    return [_pin(block) for block in blocks]


def _pin(block: str) -> Pin:
    stated, *comments = block.split("\n    #")
    wanted_by = {comment.replace("via", "", 1).strip() for comment in comments} - {""}
    requirement = HASH.sub("", stated.replace("\\\n", " ")).strip()
    return Pin(
        Requirement(requirement), len(HASH.findall(stated)), frozenset(re.sub(r"\[.*?\]", "", w) for w in wanted_by)
    )


def declared(*extras: str) -> Mapping[str, Requirement]:
    """Direct dependencies by pyproject.toml, those of the extras that an extra takes in included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    found: dict[str, Requirement] = {canonicalize_name(parsed.name): parsed for parsed in map(Requirement, lines)}
    own = found.pop(project["name"], None)
    return {**found, **(declared(*own.extras) if own else {})}


@pytest.mark.parametrize("name", FILES)
def test_every_package_is_pinned_with_hashes(name: str) -> None:
    loose = [pin.name for pin in read_pins(FILES[name]) if not pin.version or not pin.hashes]
    assert loose == []


@pytest.mark.parametrize("name", FILES)
def test_requirement_files_leave_the_index_to_the_machine(name: str) -> None:
    text = re.sub(r"#.*", "", FILES[name].read_text())
    options = set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", text))
    assert options == {"--hash"}
    assert "://" not in text
    assert " @ " not in text


@pytest.mark.parametrize(("name", "extras"), EXTRAS.items())
def test_direct_dependencies_are_pinned_in_the_declared_range(name: str, extras: tuple[str, ...]) -> None:
    pins = {pin.name: pin.version for pin in read_pins(FILES[name])}
    outside = {
        wanted: pins.get(wanted)
        for wanted, requirement in declared(*extras).items()
        if not requirement.specifier.contains(pins.get(wanted) or "0")
    }
    assert outside == {}, "run `make requirements`"


@pytest.mark.parametrize(("name", "extras"), EXTRAS.items())
def test_nothing_is_pinned_for_a_dependency_that_was_dropped(name: str, extras: tuple[str, ...]) -> None:
    direct = {pin.name for pin in read_pins(FILES[name]) if DIRECT in pin.wanted_by}
    assert direct == set(declared(*extras)), "run `make requirements`"


def test_bootstrap_pins_what_it_lists_and_the_declared_build_backend() -> None:
    pins = {pin.name: pin.version for pin in read_pins(FILES["bootstrap.txt"])}
    listed = {line for line in (ROOT / "requirements/bootstrap.in").read_text().splitlines() if line[0] != "#"}
    assert listed <= set(pins)
    (backend,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert backend == f"hatchling=={pins['hatchling']}"


def test_users_of_the_base_install_get_the_versions_that_are_tested() -> None:
    tested = {(pin.name, pin.version) for pin in read_pins(FILES["all.txt"])}
    assert {(pin.name, pin.version) for pin in read_pins(FILES["base.txt"])} <= tested
