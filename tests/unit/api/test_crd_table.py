"""The table of manifests as `afray validate --offline --for cluster` judges it. An API server: tests/apiserver."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from helpers.crd_table import ACCEPTED, REFUSED, Changes, Refused
from helpers.manifests import cluster_manifest, problems_of
from pydantic import ValidationError
from typer.testing import CliRunner

from afray.api import location_rules
from afray.api.crd.rules import NOT_BY_SERVER
from afray.api.job import SelectionJob
from afray.api.rules import RULES, Target
from afray.cli.main import app

WITH_THE_VALUE = {
    location_rules.SPELLING: "is not spelled s3://",
    location_rules.UNKNOWN_SCHEME: "has the unknown scheme nfs://",
}
"""Problems that name a part of the value."""


def test_the_table_is_long_enough_to_mean_something() -> None:
    assert len(REFUSED) >= 100
    assert len({row.field for row in REFUSED}) >= 60
    assert len(ACCEPTED) >= 30


def test_every_check_of_a_cluster_that_a_server_makes_has_a_row() -> None:
    told: set[str] = set()
    for row in REFUSED:
        with suppress(ValidationError):
            job = SelectionJob.model_validate(cluster_manifest(row.changes), by_alias=True, by_name=False)
            told |= {check.__name__ for check in RULES[Target.cluster] if any(check(job))}
    assert {check.__name__ for check in RULES[Target.cluster]} - told == {check.__name__ for check in NOT_BY_SERVER}


def test_every_rule_of_a_location_has_a_row() -> None:
    said = {problem.problem for row in REFUSED for problem in problems_of(cluster_manifest(row.changes))}
    for rule in (*location_rules.EVERY_LOCATION, location_rules.FOLDER):
        assert WITH_THE_VALUE.get(rule, rule.problem) in said


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.field)
def test_a_manifest_is_refused_for_one_field(row: Refused) -> None:
    problems = problems_of(cluster_manifest(row.changes), Target.cluster)
    assert [problem.field for problem in problems] == [row.field]


@pytest.mark.parametrize("changes", ACCEPTED)
def test_a_manifest_is_accepted(changes: Changes) -> None:
    assert problems_of(cluster_manifest(changes), Target.cluster) == ()


@pytest.mark.parametrize("row", REFUSED[::12], ids=lambda row: row.field)
def test_the_command_refuses_it_too(row: Refused, tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(cluster_manifest(row.changes), allow_unicode=True))
    ended = CliRunner().invoke(app, ["validate", str(file), "--offline", "--for", "cluster", "-o", "json"])
    assert ended.exit_code == 64
    assert [problem["field"] for problem in json.loads(ended.stdout)["problems"]] == [row.field]


def test_the_command_accepts_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(cluster_manifest(ACCEPTED[8])))
    ended = CliRunner().invoke(app, ["validate", str(file), "--offline", "--for", "cluster", "-o", "json"])
    assert ended.exit_code == 0
    assert json.loads(ended.stdout)["valid"] is True
