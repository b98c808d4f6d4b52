"""What the pages say to type, open or apply exists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer.core
from helpers.repository import ROOT, code_blocks, code_lines, documents, link_targets, say

from afray.api import rules
from afray.api.loading import load
from afray.api.rules import Target
from afray.cli.main import app

MAKE = re.compile(r"(?:^|[\s;&|(])make ((?:[a-z][\w-]*(?:\s|$))+)")
AFRAY = re.compile(r"^(?!helm )(?:.*?[\s/;&|(])?afray ([a-z][\w-]*)(.*)")  # a release of Helm is named so too
OPTION = re.compile(r"(?<!\S)(--?[a-z][\w-]*)")
PATH = re.compile(r"^(?:afray|tests|docs|examples|benchmarks|requirements|\.ci)/[\w./*-]*$")
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
PAGES = documents()


def in_code(pattern: re.Pattern[str], page: Path) -> list[re.Match[str]]:
    return [found for line in code_lines(page.read_text()) for found in pattern.finditer(line)]


@dataclass(frozen=True)
class Grammar:
    """What one command of the program takes."""

    options: frozenset[str]
    required: tuple[frozenset[str], ...]
    """Spellings of each option that may not be left out."""

    def accepts(self, arguments: str) -> bool:
        """Whether the options fit; a command that is only named, without arguments, always does."""
        given = set(OPTION.findall(arguments))
        return given <= self.options and (not arguments.strip() or all(given & names for names in self.required))


def list_commands(
    program: typer.core.TyperGroup,
) -> Iterator[tuple[str, typer.core.TyperGroup | typer.core.TyperCommand]]:
    """Every command by all its words."""
    for name, command in program.commands.items():
        assert isinstance(command, typer.core.TyperGroup | typer.core.TyperCommand)
        yield name, command
        if isinstance(command, typer.core.TyperGroup):
            yield from ((f"{name} {word}", below) for word, below in list_commands(command))


def read_grammar() -> dict[str, Grammar]:
    """The commands of the program."""
    program = typer.main.get_command(app)
    assert isinstance(program, typer.core.TyperGroup)
    found = {}
    for name, command in list_commands(program):
        named = [parameter for parameter in command.params if parameter.param_type_name == "option"]
        spellings = {parameter.name: frozenset([*parameter.opts, *parameter.secondary_opts]) for parameter in named}
        required = tuple(spellings[parameter.name] for parameter in named if parameter.required)
        found[name] = Grammar(frozenset({"--help"}).union(*spellings.values()), required)
    return found


def is_known(known: Mapping[str, Grammar], name: str, arguments: str) -> bool:
    """Whether there is such a command, perhaps of two words, and it takes these arguments."""
    second, _, rest = arguments.strip().partition(" ")
    if (longer := f"{name} {second}") in known:
        return known[longer].accepts(rest)
    return name in known and known[name].accepts(arguments)


@pytest.mark.parametrize("page", PAGES, ids=say)
def test_make_targets_named_on(page: Path) -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {target for found in in_code(MAKE, page) for target in found[1].split()}
    assert named - targets == set()


@pytest.mark.parametrize("page", PAGES, ids=say)
def test_commands_and_options_named_on(page: Path) -> None:
    known = read_grammar()
    unknown = [
        found[0].strip() for found in in_code(AFRAY, page) if not is_known(known, found[1], found[2].partition("#")[0])
    ]
    assert unknown == []


def test_the_makefile_gives_commands_what_they_take() -> None:
    lines = (ROOT / "Makefile").read_text().replace("\\\n", " ").splitlines()
    known, called = (
        read_grammar(),
        [found for line in lines if (found := re.match(r"\t\$\(BIN\)/afray ([a-z]+)(.*)", line))],
    )
    assert {"run", "next", "diff", "bench"} <= {found[1] for found in called}
    assert [found[0] for found in called if not known[found[1]].accepts(found[2].partition(" >")[0])] == []
    named = {path for line in lines if line.startswith("\t") for path in re.findall(r"(?<=\s)examples/\S+", line)}
    assert {path for path in named if not (ROOT / path).exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=say)
def test_links_lead_to_files_from(page: Path) -> None:
    local = [link for link in link_targets(page.read_text()) if not re.match(r"https?:|mailto:|data:|#", link)]
    assert [link for link in local if not (page.parent / link.partition("#")[0]).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=say)
def test_paths_named_on(page: Path) -> None:
    spans = {word for line in code_lines(page.read_text()) for word in line.split() if PATH.match(word)}
    assert {span for span in spans if not list(ROOT.glob(span.rstrip("/")))} == set()


def test_the_index_of_the_docs_names_every_page() -> None:
    linked = set(link_targets((ROOT / "docs/index.md").read_text()))
    pages = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")} - {"index.md"}
    assert pages - linked == set()


def test_the_layout_in_contributing_names_every_part_of_the_tree() -> None:
    (layout,) = (block for block in code_blocks((ROOT / "CONTRIBUTING.md").read_text()) if block.startswith("afray/"))
    named = {line.split()[0].rstrip("/") for line in layout.splitlines() if line and not line.startswith(" ")}
    packages = {say(init.parent) for init in ROOT.glob("afray/*/__init__.py")}
    folders = {
        say(path) for pattern in ("tests/*/", "benchmarks/", "examples/", "docs/") for path in ROOT.glob(pattern)
    }
    assert (packages | folders) - named - {"tests/__pycache__"} == set()


@pytest.mark.parametrize("example", EXAMPLES, ids=say)
def test_the_manifest_loads_for_its_target(example: Path) -> None:
    target = Target.cluster if "\n  runtime:" in example.read_text() else Target.run
    assert load(example) == load(example, target=target)


def test_examples_show_both_targets() -> None:
    assert {rules.default_target(load(example)) for example in EXAMPLES} == set(Target)


@pytest.mark.parametrize("page", PAGES, ids=say)
def test_manifests_load_from(page: Path) -> None:
    for block in code_blocks(page.read_text(), "yaml"):
        if "kind: SelectionJob" in block:
            load(block)


def test_ci_runs_the_command_that_the_readme_names() -> None:
    assert any(line.split()[:2] == ["make", "test"] for line in code_lines((ROOT / "README.md").read_text()))
    assert (ROOT / ".ci/run").read_text().rstrip().endswith("make test")
