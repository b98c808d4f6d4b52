"""From text to job: what is refused before any field is looked at, and where problems are found."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import yaml
from helpers.manifests import EVALUATION, cluster_manifest, manifest

from afray.api.loading import load, load_object
from afray.api.problems import InvalidManifest, Problem
from afray.api.rules import Target

TEXT = """\
apiVersion: afray.dev/v1alpha1
kind: SelectionJob
metadata: {name: weld-pilot}
spec:
  pool:
    uri: s3:/plant/welds
    format: image
  embedding: {model: timm/resnet18.a1_in1k}
  selection:
    budget:
      count: 1e3
  output:
    uri: out
"""


def problems(source: Path | str) -> tuple[Problem, ...]:
    with pytest.raises(InvalidManifest) as caught:
        load(source)
    return caught.value.problems


def valid_text() -> str:
    return yaml.safe_dump(manifest())


def test_every_problem_is_reported_with_its_line() -> None:
    found = [(problem.field, problem.line) for problem in problems(TEXT)]
    assert found == [("spec.pool.uri", 6), ("spec.pool.format", 7), ("spec.selection.budget.count", 11)]


def test_the_message_names_file_field_value_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "weld.yaml"
    path.write_text(TEXT)
    with pytest.raises(InvalidManifest) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: 3 problems\n")
    assert 'spec.pool.format: is not a known value (value: "image"). Did you mean images?' in message
    assert caught.value.exit_code == 64


def test_a_missing_field_is_found_at_its_block() -> None:
    (problem,) = problems(TEXT.replace("format: image", "").replace("s3:/", "s3://").replace("1e3", "1000"))
    assert (problem.field, problem.line, problem.value) == ("spec.pool.format", 5, "nothing")


def test_rules_between_fields_have_lines_too() -> None:
    text = valid_text() + "# end\n"
    text = text.replace("    budget:\n      count: 100", "    budget: {count: 100}\n    core:\n      size: 101")
    (problem,) = problems(text)
    assert problem.field == "spec.selection.core.size"
    assert problem.line is not None
    assert "size: 101" in text.splitlines()[problem.line - 1]


def test_a_repeated_key_is_refused_at_the_second_one() -> None:
    (problem,) = problems(valid_text() + "spec: {}\n")
    assert problem.field == "spec"
    assert "is given twice, first in line" in problem.problem
    assert problem.line == len(valid_text().splitlines()) + 1


def test_every_repeated_key_is_found_however_deep() -> None:
    text = valid_text().replace("count: 100", "count: 100\n      count: 200") + "kind: SelectionJob\n"
    assert [problem.field for problem in problems(text)] == ["spec.selection.budget.count", "kind"]


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        ("a: 1\n---\nb: 2\n", "holds 2 YAML documents", "one job a file"),
        ("", "holds 0 YAML documents", "one job a file"),
        ("a:\n\tb: 1\n", "is not YAML", "never tabs"),
        ("a: [1, 2\nb: 3\n", "is not YAML", "indentation, colons and quotes"),
        ("a: 2026-99-99\n", "can not be read as YAML", "quotes"),
        ("a: !!python/object:os.system {}\n", "is not YAML", "Check"),
        ("just words", "is not a mapping", "apiVersion: afray.dev/v1alpha1"),
        ("- a\n- b\n", "is not a mapping", "kind: SelectionJob"),
        ("# " + "x" * 300_000, "is larger than 256 KiB", "right file"),
    ],
)
def test_a_text_that_is_no_manifest_is_refused_as_a_whole(text: str, problem: str, remedy: str) -> None:
    (found,) = problems(text)
    assert found.field == "manifest"
    assert problem in found.problem
    assert remedy in found.remedy


def test_a_manifest_of_another_kind_is_named_and_nothing_else_is_said_of_it() -> None:
    found = problems("apiVersion: ray.io/v1\nkind: RayJob\nspec: {entrypoint: python}\n")
    assert [(problem.field, problem.value) for problem in found] == [
        ("apiVersion", '"ray.io/v1"'),
        ("kind", '"RayJob"'),
    ]


def test_another_version_of_the_api_is_named() -> None:
    (problem,) = problems(valid_text().replace("v1alpha1", "v1"))
    assert (problem.field, problem.value) == ("apiVersion", '"afray.dev/v1"')
    assert problem.remedy == "Write apiVersion: afray.dev/v1alpha1"


@pytest.mark.parametrize("key", ["on", "2026", "null"])
def test_a_field_name_that_yaml_reads_as_another_type_is_refused(key: str) -> None:
    (problem,) = problems(valid_text().replace("  pool:", f"  {key}: 1\n  pool:"))
    assert problem.problem == "has a name that is not a text"


def test_an_alias_that_contains_itself_is_refused() -> None:
    text = valid_text().replace("metadata:\n", "metadata: &m\n  annotations: *m\n")
    assert any(problem.field.startswith("metadata.annotations") for problem in problems(text))


def test_anchors_and_aliases_may_be_used() -> None:
    text = (
        valid_text().replace("uri: pool", "uri: &place pool").replace("metadata:", "metadata:\n  labels: {a: *place}")
    )
    with pytest.raises(InvalidManifest):
        load(text)  # an alias before its anchor
    text = valid_text().replace("uri: out", "uri: &place out") + "status: {again: *place}\n"
    assert load(text).spec.output.uri == "out"


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    (missing,) = problems(tmp_path / "none.yaml")
    assert "can not be read: No such file" in missing.problem
    assert "none.yaml" in missing.value
    (tmp_path / "latin.yaml").write_bytes(b"name: \xfc\n")
    (undecodable,) = problems(tmp_path / "latin.yaml")
    assert "it is not UTF-8" in undecodable.problem


def test_a_path_and_its_text_give_the_same_job(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(valid_text())
    assert load(path) == load(valid_text()) == load_object(manifest(), "SELECTION_SPEC")


def test_the_target_is_a_cluster_where_the_manifest_says_what_runs_in_pods() -> None:
    text = yaml.safe_dump(cluster_manifest({"spec.pool.uri": "welds"}))
    (problem,) = problems(text)
    assert problem.field == "spec.pool.uri"
    assert load(text, target=Target.run).spec.pool.uri == "welds"


def test_the_error_survives_the_way_to_another_process() -> None:
    with pytest.raises(InvalidManifest) as caught:
        load(TEXT)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert again.problems == caught.value.problems


@pytest.mark.parametrize(
    "changes",
    [
        {"spec.pool.uri": "s3://AKIAX:s3cr3t@plant/welds"},
        {"spec.pool.uri": "https://user:s3cr3t@host/welds"},
        {"spec.pool.uri": "s3:/user:s3cr3t@plant"},
        {"spec.runtime.env": [{"name": "AWS_SECRET_ACCESS_KEY", "value": "s3cr3t"}]},
        {
            "spec.runtime.env": [
                {"name": "DB_PASSWORD", "value": "s3cr3t", "valueFrom": {"secretKeyRef": {"name": "a"}}}
            ]
        },
        {"spec.runtime.env": {"AWS_SECRET_ACCESS_KEY": "s3cr3t"}},
        {"spec.runtime.env": [{"AWS_SECRET_ACCESS_KEY": "s3cr3t"}]},
        {"spec.runtime.secretKey": "s3cr3t"},
        {"spec.runtime.credentials": {"key": "s3cr3t"}},
        {"spec.runtime.env": "AWS_SECRET_ACCESS_KEY=s3cr3t"},
    ],
)
def test_no_message_repeats_a_secret(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidManifest) as caught:
        load(yaml.safe_dump(cluster_manifest(changes)))
    assert "s3cr3t" not in str(caught.value)
    assert "s3cr3t" not in repr(caught.value.problems)


@pytest.mark.parametrize(
    ("written", "field"),
    [
        ({"spec.pool.uri": "ev", "spec.evaluation": {**EVALUATION, "uri": "{here}/ev"}}, "spec.evaluation.uri"),
        ({"spec.pool.uri": "{here}/ev/deep", "spec.evaluation": {**EVALUATION, "uri": "ev"}}, "spec.evaluation.uri"),
        ({"spec.pool.uri": "../{name}/ev", "spec.evaluation": {**EVALUATION, "uri": "ev"}}, "spec.evaluation.uri"),
        ({"spec.pool.uri": ".", "spec.output.uri": "outhere"}, "spec.output.uri"),
        ({"spec.pool.uri": "file://{here}/pool", "spec.output.uri": "pool/out"}, "spec.output.uri"),
    ],
)
def test_locations_that_overlap_are_found_however_they_are_spelled(
    written: dict[str, object], field: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = yaml.safe_dump(manifest(written)).replace("{here}", str(tmp_path)).replace("{name}", tmp_path.name)
    (problem,) = problems(text)
    assert problem.field == field
    assert problem.line is not None


def test_locations_beside_each_other_load_however_they_are_spelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    evaluation = {**EVALUATION, "uri": f"{tmp_path}/ev"}
    assert load(yaml.safe_dump(manifest({"spec.pool.uri": "pool", "spec.evaluation": evaluation}))).spec.evaluation
