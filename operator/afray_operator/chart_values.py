"""The chart's values.yaml and README.md, as `python -m afray_operator.chart_values` writes them from its schema.

The schema alone says what a value means, which values it takes and what it is by default; Helm refuses others by it.
A test compares the files, so they can not go stale.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

CHART: Final = Path("charts/afray")
SCHEMA: Final = CHART / "values.schema.json"
Schema = Mapping[str, Any]

_WIDTH: Final = 120
_FOREWORD: Final = "# Written from values.schema.json by `make generate`; change the schema, not this file.\n"
_INTRODUCTION: Final = """\
# Chart afray

<!-- Written from values.schema.json by `make generate`; change the schema, not this page. -->

The operator for SelectionJobs, which choose the samples worth labelling on Ray clusters through KubeRay.

```
helm install afray charts/afray --namespace afray --create-namespace \\
  --set image.repository=registry.example.com/afray-operator
```

In the repository: what it needs, and how it is installed without rights on the whole cluster or without access to the
internet, `docs/install.md`; rights, `docs/rights.md`; monitoring, `docs/metrics.md`; tenants who share GPUs,
`docs/sharing.md`; upgrades, `docs/upgrading.md`.

## Values

`helm lint`, `install` and `upgrade` refuse a value of another name, type or range, and name it.
"""


def render_values(schema: Schema) -> str:
    """values.yaml: every value with its default, below what it means."""
    sections = ("\n".join(_lines(name, node, "")) for name, node in schema["properties"].items())
    return _FOREWORD + "".join(f"\n{section}\n" for section in sections)


def render_readme(schema: Schema) -> str:
    """README.md: a table of all values, each section before its own."""
    rows = (_row(path, node) for path, node in values(schema))
    return "\n".join([_INTRODUCTION, "| Value | Type | Default | Meaning |", "|---|---|---|---|", *rows, ""])


FILES: Final[Mapping[Path, Callable[[Schema], str]]] = {
    CHART / "values.yaml": render_values,
    CHART / "README.md": render_readme,
}


def read_schema(root: Path) -> Schema:
    """The schema of the chart in a checkout, with every reference to a definition replaced by what it names."""
    schema = json.loads((root / SCHEMA).read_text(encoding="utf-8"))
    resolved = _resolved(schema, schema["definitions"])
    assert isinstance(resolved, dict)
    return resolved


def values(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every value by its path, in the order of the schema; a section, which has no default, before what is in it."""
    for name, node in schema["properties"].items():
        yield f"{path}{name}", node
        if "default" not in node:
            yield from values(node, f"{path}{name}.")


def _resolved(node: Any, definitions: Schema) -> Any:
    if isinstance(node, list):
        return [_resolved(inner, definitions) for inner in node]
    if not isinstance(node, dict):
        return node
    named = definitions[node["$ref"].rsplit("/", 1)[-1]] if "$ref" in node else {}
    given = {name: inner for name, inner in node.items() if name != "$ref"}
    return {name: _resolved(inner, definitions) for name, inner in {**named, **given}.items()}


def _lines(name: str, node: Schema, indent: str) -> Iterator[str]:
    yield from textwrap.wrap(node["description"], _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
    if "default" in node:
        yield f"{indent}{name}: {_flow(node['default'])}"
        return
    yield f"{indent}{name}:"
    for inner_name, inner in node["properties"].items():
        yield from _lines(inner_name, inner, f"{indent}  ")


def _flow(value: Any) -> str:
    """A default in one line of YAML; strings are quoted, so that none is read as a number."""
    if isinstance(value, str | bool | int | None):
        return json.dumps(value)
    return yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False).strip()


def _row(path: str, node: Schema) -> str:
    told = (_type(node), f"`{json.dumps(node['default'])}`") if "default" in node else ("", "")
    return f"| `{path}` | {told[0]} | {told[1]} | {node['description']} |"


def _type(node: Schema) -> str:
    kinds = node["type"] if "type" in node else [choice["type"] for choice in node["oneOf"]]
    return kinds if isinstance(kinds, str) else " or ".join(kinds)


def write(root: Path) -> None:
    """Write them below `root`, the repository."""
    schema = read_schema(root)
    for path, render in FILES.items():
        (root / path).write_text(render(schema), encoding="utf-8")
        sys.stderr.write(f"wrote {path}\n")


if __name__ == "__main__":
    write(Path())
