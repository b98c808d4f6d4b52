"""The schema of the chart's values, and what is written from it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from afray_operator import chart_values
from helpers.repository import ROOT

SCHEMA = chart_values.read_schema(ROOT)
VALUES = dict(chart_values.values(SCHEMA))


@pytest.mark.parametrize("path", chart_values.FILES, ids=str)
def test_a_generated_file_is_what_the_schema_says(path: Path) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == chart_values.FILES[path](SCHEMA), "run: make generate"


def test_make_generate_writes_those_files(tmp_path: Path) -> None:
    copied = tmp_path / chart_values.SCHEMA
    copied.parent.mkdir(parents=True)
    copied.write_bytes((ROOT / chart_values.SCHEMA).read_bytes())
    subprocess.run([sys.executable, "-m", "afray_operator.chart_values"], check=True, cwd=tmp_path)
    written = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert written - {chart_values.SCHEMA} == set(chart_values.FILES)
    assert "-m afray_operator.chart_values" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("path", VALUES)
def test_a_value_is_described_in_a_sentence_that_a_table_can_hold(path: str) -> None:
    text = VALUES[path]["description"]
    assert text[0].isupper() or text.split(":")[0] in VALUES[path].get("enum", [])
    assert text.endswith(".")
    assert not {"|", "\n"} & set(text)


@pytest.mark.parametrize("path", VALUES)
def test_a_value_has_a_default_that_its_own_type_takes_or_is_a_closed_section(path: str) -> None:
    node = VALUES[path]
    if "default" in node:
        jsonschema.Draft7Validator(node).validate(node["default"])
    else:
        assert node["additionalProperties"] is False


def test_the_schema_is_one_of_draft_7() -> None:
    stated = json.loads((ROOT / chart_values.SCHEMA).read_text())
    assert stated["$schema"].startswith("http://json-schema.org/draft-07/")
    jsonschema.Draft7Validator.check_schema(stated)


def test_the_values_are_the_defaults_of_the_schema() -> None:
    written = yaml.safe_load(chart_values.render_values(SCHEMA))
    for path, node in VALUES.items():
        found = written
        for name in path.split("."):
            found = found[name]
        if "default" in node:
            assert found == node["default"], path


def test_the_page_has_a_row_for_each_value_and_each_section() -> None:
    rows = [line for line in chart_values.render_readme(SCHEMA).splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == list(VALUES)
    assert "| `monitoring.podMonitor.enabled` | boolean | `false` | Make it. |" in rows
    assert "| `admissionPolicy.maxGpus` | integer or null | `null` |" in "\n".join(rows)
