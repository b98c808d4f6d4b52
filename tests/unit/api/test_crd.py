"""The CRD as a text: made from the models and from nothing else, bounded, complete. An API server: tests/apiserver."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.manifests import cluster_manifest
from helpers.repository import ROOT
from helpers.whole_status import whole_status

from afray.api import generate, grammar
from afray.api.cel import SCHEMALESS, VALIDATIONS
from afray.api.crd import definition
from afray.api.crd.leaves import leaf
from afray.api.crd.rules import BLOCK_RULES, BY_CEL, BY_SCHEMA, NOT_BY_SERVER
from afray.api.job import MUTABLE, JobSpec
from afray.api.loading import load_object
from afray.api.rules import RULES, Target
from afray.api.status import JobStatus

Node = Mapping[str, Any]
CRD = definition.definition()
ROOT_SCHEMA: Node = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
SPEC: Node = ROOT_SCHEMA["properties"]["spec"]


def nodes(schema: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Every schema in a schema, with the path of what it describes."""
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if name in schema:
            yield from nodes(schema[name], f"{path}[]")


def rules(schema: Node) -> Iterator[tuple[str, Node]]:
    for path, node in nodes(schema):
        yield from ((path, rule) for rule in node.get(VALIDATIONS, ()))


@pytest.mark.parametrize("path", generate.FILES, ids=str)
def test_a_generated_file_is_what_the_models_say(path: Path) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == generate.FILES[path](), "run: make generate"


def test_make_generate_writes_those_files(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "afray.api.generate", str(tmp_path)], check=True, cwd=ROOT)
    written = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert written == set(generate.FILES)
    assert "-m afray.api.generate" in (ROOT / "Makefile").read_text()


def test_the_definition_is_half_of_what_kubectl_apply_can_keep() -> None:
    # It keeps compact JSON, whatever the file looked like.
    assert len(json.dumps(CRD, separators=(",", ":")).encode()) < definition.LARGEST / 2


def test_the_yaml_says_what_was_made() -> None:
    assert yaml.safe_load(definition.render()) == CRD


def test_the_template_of_the_chart_outlives_its_release() -> None:
    head, *lines, tail = definition.render_template().splitlines()[1:]
    assert (head, tail) == ("{{- if .Values.crds.install }}", "{{- end }}")
    kept = yaml.safe_load("\n".join(lines))
    assert kept["metadata"].pop("annotations") == {
        "helm.sh/resource-policy": "keep",
        "afray.dev/chart-version": "{{ .Chart.Version }}",
    }
    assert kept == CRD
    assert sum("{{" in line for line in lines) == 1


def test_everything_that_a_rule_may_look_at_is_bounded() -> None:
    for path, node in nodes(SPEC, "spec"):
        match node.get("type"):
            case "string" if "enum" not in node:
                assert "maxLength" in node, path
            case "integer" | "number":
                assert {"minimum", "maximum"} <= node.keys(), path
            case "array":
                assert "maxItems" in node, path
                assert "x-kubernetes-list-type" in node, path
            case "object" if "additionalProperties" in node:
                assert "maxProperties" in node, path
            case "object":
                assert "properties" in node or node[SCHEMALESS], path
            case None:
                assert node["x-kubernetes-int-or-string"], path
                assert "maxLength" in node, path


def test_only_pod_templates_are_kept_without_a_look() -> None:
    blind = {path for path, node in nodes(ROOT_SCHEMA) if SCHEMALESS in node}
    assert {path.rsplit(".template.", 1)[-1] for path in blind} == {"metadata", "spec"}
    assert len(blind) == 4


def test_every_field_of_the_models_is_described_and_no_other() -> None:
    said = {path: node["description"] for path, node in nodes(SPEC) if "description" in node}
    described = {path.replace("[]", ""): text for path, text in said.items() if not path.endswith("[]")}
    fields = {
        "".join(f".{step}" for step in path[1:]): info for path, info in grammar.all_fields() if path[0] == "spec"
    }
    assert described.keys() == fields.keys()
    missing = {path for path, info in fields.items() if grammar.summary(info).rstrip(".") not in described[path]}
    assert missing == set()


def test_defaults_are_those_of_the_models() -> None:
    manifest = cluster_manifest({"spec.finetune": {}})
    meant = load_object(cluster_manifest({"spec.finetune": {}}), "test").to_manifest()["spec"]
    assert with_defaults(SPEC, manifest["spec"]) == meant


def with_defaults(schema: Node, value: Any) -> Any:
    """What an API server makes of a value, slowly."""
    if isinstance(value, list):
        return [with_defaults(schema["items"], entry) for entry in value]
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    filled = {name: inner["default"] for name, inner in schema["properties"].items() if "default" in inner} | value
    return {name: with_defaults(schema["properties"][name], inner) for name, inner in filled.items()}


def test_every_check_of_a_cluster_is_accounted_for_once() -> None:
    accounted = [*BY_CEL, *BY_SCHEMA, *NOT_BY_SERVER]
    assert sorted(check.__name__ for check in accounted) == sorted(check.__name__ for check in RULES[Target.cluster])
    assert all(BY_CEL.values())


def test_every_rule_of_a_block_reaches_the_definition() -> None:
    written = [rule["rule"] for _, rule in rules(ROOT_SCHEMA)]
    assert {rule.rule for block in BLOCK_RULES.values() for rule in block} <= set(written)


def test_every_rule_says_problem_and_remedy_in_one_line_each() -> None:
    for path, rule in rules(ROOT_SCHEMA):
        assert re.fullmatch(r"[^\n]{10,2048}", rule["message"]), path
        assert ". " in rule["message"], path


def test_a_pattern_is_one_that_re2_reads() -> None:
    for path, node in nodes(ROOT_SCHEMA):
        pattern = node.get("pattern", "")
        assert re.compile(pattern), path
        assert not re.search(r"\(\?[=!<]|\\[1-9]|[*+?}][+]", pattern), path


def test_all_of_spec_but_three_blocks_and_some_labels_is_frozen() -> None:
    frozen = {rule["fieldPath"].removeprefix(".") for rule in SPEC[VALIDATIONS] if "oldSelf" in rule["rule"]}
    fields = {str(info.alias) for info in JobSpec.model_fields.values()}
    assert fields - frozen == {path.partition(".")[0] for path in MUTABLE}
    assert "previous.certificate" in frozen


def test_a_status_survives_the_api_server() -> None:
    for status in (JobStatus(), whole_status()):
        assert JobStatus.read(status.to_json()) == status


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"phase": "Dreaming", "news": 1}, "phase"),
        ({"attempt": {"stage": "dream"}}, "attempt"),
        ({"conditions": "none"}, "conditions"),
    ],
)
def test_what_another_version_wrote_is_left_out(changes: dict[str, Any], lost: str) -> None:
    read = JobStatus.read({**whole_status().to_json(), **changes})
    assert read == whole_status().model_copy(update={lost: JobStatus.model_fields[lost].default})


def test_a_condition_of_another_version_takes_no_other_with_it() -> None:
    written = whole_status().to_json()
    assert isinstance(written["conditions"], list)
    written["conditions"] = [{"type": "Dreaming"}, *written["conditions"]]
    assert JobStatus.read(written) == whole_status()


@pytest.mark.parametrize("content", [None, 5, [], "x", {"conditions": [None]}])
def test_a_status_that_is_none_is_an_empty_one(content: Any) -> None:
    assert JobStatus.read(content) == JobStatus()


def test_a_number_that_is_excluded_is_flagged_as_openapi_does() -> None:
    assert leaf({"type": "number", "minimum": 0.0, "exclusiveMaximum": 1.0}, {}) == {
        "type": "number",
        "format": "double",
        "minimum": 0,
        "maximum": 1,
        "exclusiveMaximum": True,
    }
