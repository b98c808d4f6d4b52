"""What the models promise to those who read them: help texts, bounds, the reference page, the examples."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from afray.api import grammar, paths, reference
from afray.api.cel import SCHEMALESS
from afray.api.job import SelectionJob
from afray.api.loading import load
from afray.api.rules import RULES, Target, default_target
from afray.api.uris import locations

REPOSITORY = Path(__file__).parents[3]
EXAMPLES = sorted((REPOSITORY / "examples").glob("*.yaml"))


def test_the_reference_page_names_every_field_and_every_rule() -> None:
    page = reference.render()
    for path, _ in grammar.all_fields():
        assert f"| `{path[-1]}` |" in page or len(path) == 1, paths.join(path)
    for check in RULES[Target.cluster]:
        assert check.__name__.replace("_", " ") in page


def test_every_field_has_a_help_text_of_a_sentence() -> None:
    for path, info in grammar.all_fields():
        assert grammar.summary(info).endswith("."), paths.join(path)


def schemas(schema: Mapping[str, object], path: str = "") -> Iterator[tuple[str, Mapping[str, object]]]:
    """Every schema inside a JSON schema, with its place."""
    yield path, schema
    for name, inner in schema.items():
        for step, value in enumerate(inner) if isinstance(inner, list) else [("", inner)]:
            if isinstance(value, Mapping) and name not in ("default", "discriminator"):
                yield from schemas(value, f"{path}/{name}{step}")


def test_everything_is_bounded_so_that_an_api_server_can_cost_its_rules() -> None:
    for path, schema in schemas(SelectionJob.model_json_schema()):
        match schema.get("type"):
            case "string" if "enum" not in schema and "const" not in schema:
                assert "maxLength" in schema, path
            case "integer" | "number":
                assert {"minimum", "exclusiveMinimum"} & schema.keys(), path
                assert {"maximum", "exclusiveMaximum"} & schema.keys(), path
            case "array":
                assert "maxItems" in schema, path
            case "object" if "properties" not in schema and SCHEMALESS not in schema:
                assert "maxProperties" in schema, path


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_loads_and_carries_no_server_fields(path: Path) -> None:
    job = load(path)
    assert yaml.safe_load(path.read_text()).keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert default_target(job) is (Target.cluster if "cluster" in path.name else Target.run)


def test_no_two_examples_write_to_one_place() -> None:
    outputs = [dict(locations(load(path)))["spec.output.uri"] for path in EXAMPLES]
    assert len(set(outputs)) == len(outputs) >= 4


def test_the_baseline_example_differs_from_the_demo_in_the_method_alone() -> None:
    demo = load(REPOSITORY / "examples/fashion-mnist.yaml").spec
    baseline = load(REPOSITORY / "examples/compare-random.yaml").spec
    assert (baseline.pool, baseline.embedding, baseline.evaluation) == (demo.pool, demo.embedding, demo.evaluation)
    assert baseline.selection.budget == demo.selection.budget


def test_a_path_is_read_as_it_was_written() -> None:
    for path in [("spec", "cluster", "workers", 0, "resources", "nvidia.com/gpu"), ("metadata", "labels", "a"), ()]:
        assert paths.split(paths.join(path)) == path


def test_the_models_import_nothing_of_the_data_plane() -> None:
    script = (
        "import sys, afray.api.loading, afray.api.digest, afray.api.uris, afray.api.reference;"
        "heavy = {'numpy', 'pyarrow', 'torch', 'ray', 'obstore', 'numba', 'PIL', 'kopf'} & sys.modules.keys();"
        "sys.exit(', '.join(heavy) or 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=REPOSITORY)
