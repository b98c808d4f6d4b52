"""What `afray bench` understands by its options."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.bench_jobs import write_manifest
from typer.testing import CliRunner

from afray.cli.bench import _methods_of_rounds, parse_plan
from afray.cli.main import app
from afray.errors import SpecError


def test_lists_and_ranges_are_read() -> None:
    plan = parse_plan("random, bilaf@0.2", "50,100", "0-2,7,2", "random")
    assert [contender.name for contender in plan.contenders] == ["random", "bilaf@0.2"]
    assert plan.budgets == (50, 100)
    assert plan.seeds == (0, 1, 2, 7)


@pytest.mark.parametrize(
    ("changes", "option", "value"),
    [
        ({"methods": "random,magic"}, "--methods", "magic"),
        ({"methods": "random,random"}, "--methods", "random"),
        ({"budgets": "50,0"}, "--budgets", "0"),
        ({"budgets": "50;100"}, "--budgets", "50;100"),
        ({"budgets": "50,50"}, "--budgets", "50"),
        ({"seeds": "4-0"}, "--seeds", "4-0"),
        ({"seeds": "-1"}, "--seeds", "-1"),
        ({"seeds": ""}, "--seeds", ""),
        ({"seeds": "0-99999"}, "--seeds", "0-99999"),
        ({"base": "kmeans"}, "--base", "kmeans"),
    ],
)
def test_an_option_that_makes_no_sense_is_named_with_its_value(
    changes: dict[str, str], option: str, value: str
) -> None:
    options = {"methods": "random", "budgets": "50", "seeds": "0-4", "base": "random"} | changes
    with pytest.raises(SpecError) as caught:
        parse_plan(**options)
    assert (caught.value.field, caught.value.value) == (option, value)


def test_a_manifest_without_a_heldout_set_is_refused_by_its_field(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, evaluation=False)
    refused = CliRunner().invoke(app, ["bench", str(manifest), "--results", str(tmp_path / "bench")])
    assert refused.exit_code == 64
    assert "spec.evaluation" in refused.stderr


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_place_that_cannot_hold_results_is_refused_before_anything_is_embedded(place: str, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path)
    (tmp_path / "file").write_text("not a folder")
    refused = CliRunner().invoke(app, ["bench", str(manifest), "--results", str(tmp_path / place)])
    assert refused.exit_code == 64
    assert "--results" in refused.stderr
    assert str(tmp_path / place) in refused.stderr
    assert not (tmp_path / "out").exists()


def test_rounds_stand_for_kmeans_at_once_and_uherding(tmp_path: Path) -> None:
    assert _methods_of_rounds("1,2,4", None) == "kmeans,uherding@2,uherding@4"
    made = str(write_manifest(tmp_path))
    refused = CliRunner().invoke(
        app, ["bench", made, "--results", str(tmp_path), "--rounds", "1,2", "--methods", "random"]
    )
    assert refused.exit_code == 64
    assert "--rounds: stands beside --methods (value: '1,2')" in refused.stderr
