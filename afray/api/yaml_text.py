"""YAML that remembers its lines and refuses what a reader would misread: repeated keys, a second document.

PyYAML keeps the last of two equal keys, so a manifest with two `budget` blocks would run with one of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from afray.api import paths
from afray.api.problems import InvalidManifest, Problem, show

LARGEST = 262_144
"""Bytes: what `kubectl apply` can keep of an object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One parsed YAML document: its value, and its nodes, which know their lines."""

    source: str
    value: object
    root: yaml.Node

    def line(self, field: str) -> int:
        """The line, from 1, of a field, or of the nearest block around it."""
        line, node = self.root.start_mark.line, self.root
        for step in paths.split(field):
            found = _step(node, step)
            if found is None:
                break
            line, node = found
        return int(line) + 1


def parse(text: str, source: str) -> Document:
    """Read one document; raises InvalidManifest."""
    if len(text.encode()) > LARGEST:
        raise _refusal(source, "is larger than 256 KiB", "A manifest is small; is this the right file?")
    try:
        documents = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
        value = yaml.safe_load(text) if len(documents) == 1 else None
    except yaml.YAMLError as error:
        raise _not_yaml(source, error) from None
    except (RecursionError, ValueError) as error:
        raise _refusal(source, f"can not be read as YAML ({error})", "Check the value, or put it in quotes.") from None
    if len(documents) != 1:
        problem = f"holds {len(documents)} YAML documents, and one job is needed"
        raise _refusal(source, problem, "Keep one job a file; `---` separates documents.")
    document = Document(source=source, value=value, root=documents[0])
    if repeated := tuple(_repeated_keys(document.root, (), set())):
        raise InvalidManifest(source, repeated)
    return document


def _step(node: yaml.Node, step: paths.Step) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == str(step):
                return key.start_mark.line, child
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        child = node.value[step]
        return child.start_mark.line, child
    return None


def _repeated_keys(node: yaml.Node, path: paths.Path, visited: set[int]) -> list[Problem]:
    if id(node) in visited or not isinstance(node, yaml.CollectionNode):
        return []
    visited.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return [
            found for index, item in enumerate(node.value) for found in _repeated_keys(item, (*path, index), visited)
        ]
    problems: list[Problem] = []
    first: dict[str, int] = {}
    for key, child in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in first:
            problems.append(_repeated(paths.join((*path, name)), line, first[name]))
        first.setdefault(name, line)
        problems += _repeated_keys(child, (*path, name), visited)
    return problems


def _repeated(field: str, line: int, first: int) -> Problem:
    problem = f"is given twice, first in line {first}"
    return Problem(field=field, value=f"line {line}", problem=problem, remedy="Keep one of the two.", line=line)


def _not_yaml(source: str, error: yaml.YAMLError) -> InvalidManifest:
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    said = (error.problem if isinstance(error, yaml.MarkedYAMLError) else str(error)) or "unreadable"
    remedy = "Indent with blanks, never tabs." if "\\t" in said else "Check indentation, colons and quotes there."
    line = mark.line + 1 if mark else None
    return _refusal(source, f"is not YAML: {said}", remedy, line)


def _refusal(source: str, problem: str, remedy: str, line: int | None = None) -> InvalidManifest:
    where = show(source) if line is None else f"line {line}"
    return InvalidManifest(source, (Problem(field="manifest", value=where, problem=problem, remedy=remedy, line=line),))
