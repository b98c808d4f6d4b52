"""From a manifest to a SelectionJob, or to every problem that it has, in one InvalidManifest.

text -> YAML with unique keys -> is it a SelectionJob at all -> fields (pydantic) -> rules between fields

Where paths are allowed, rules are asked twice, of the locations as they are written and as they resolve: `ev` and
`/data/ev` may be one folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from afray.api import explain, rules, yaml_text
from afray.api.job import API_VERSION, KIND, SelectionJob
from afray.api.problems import InvalidManifest, Problem, show
from afray.api.rules import Target
from afray.api.uris import resolve_uris

_SERVER_FILLED: Final = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "managedFields",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
"""What an API server adds to metadata: `kubectl get -o yaml` gives a manifest that loads again."""


def load(source: Path | str, *, target: Target | None = None) -> SelectionJob:
    """Read a manifest from a file (a Path) or from its text (a str).

    The rules of `target` apply; without one, cluster if spec.runtime is present, else run.
    Raises InvalidManifest with all problems, each with its line.
    """
    if isinstance(source, Path):
        return load_text(_read(source), str(source), target=target)
    return load_text(source, "manifest", target=target)


def load_text(text: str, source: str, *, target: Target | None = None) -> SelectionJob:
    """Read a manifest from its text; `source` names it in errors."""
    document = yaml_text.parse(text, source)
    return _checked(document.value, source, target, document.line)


def load_object(content: object, source: str, *, target: Target | None = None) -> SelectionJob:
    """Read a job from parsed JSON: the body that an API server gave, or SELECTION_SPEC."""
    return _checked(content, source, target, _no_line)


def _no_line(_field: str) -> None:
    """Parsed JSON has no lines."""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        problem = Problem(
            field="manifest",
            value=show(str(path)),
            problem=f"can not be read: {reason}",
            remedy="Give the path of a manifest in UTF-8.",
        )
        raise InvalidManifest(str(path), (problem,)) from None


def _checked(content: object, source: str, target: Target | None, line: Callable[[str], int | None]) -> SelectionJob:
    problems = _identity_problems(content)
    if not problems:
        try:
            job = SelectionJob.model_validate(_without_server_fields(content), by_alias=True, by_name=False)
        except ValidationError as error:
            problems = explain.explain(error)
        else:
            problems = _violations(job, target or rules.default_target(job))
            if not problems:
                return job
    located = [problem.at_line(line(problem.field)) for problem in problems]
    raise InvalidManifest(source, tuple(sorted(located, key=lambda problem: problem.line or 0)))


def _violations(job: SelectionJob, target: Target) -> tuple[Problem, ...]:
    """Broken rules; those that show only once relative paths start at the working directory come second."""
    found = rules.violations(job, target)
    if found or target is Target.cluster:  # which takes no paths: every location stands as it resolves
        return found
    return rules.violations(resolve_uris(job, Path()), target)


def _identity_problems(content: object) -> tuple[Problem, ...]:
    """Of a file of another kind, only that is worth saying."""
    if not isinstance(content, Mapping):
        remedy = f"Start it with `apiVersion: {API_VERSION}` and `kind: {KIND}`."
        return (Problem(field="manifest", value=show(content), problem="is not a mapping", remedy=remedy),)
    wanted = {"apiVersion": API_VERSION, "kind": KIND}
    return tuple(
        Problem(
            field=field, value=show(content.get(field)), problem=f"is not {value}", remedy=f"Write {field}: {value}"
        )
        for field, value in wanted.items()
        if content.get(field) != value
    )


def _without_server_fields(content: object) -> object:
    assert isinstance(content, Mapping)
    kept = {name: value for name, value in content.items() if name != "status"}
    if isinstance(metadata := kept.get("metadata"), Mapping):
        kept["metadata"] = {name: value for name, value in metadata.items() if name not in _SERVER_FILLED}
    return kept
