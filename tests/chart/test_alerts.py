"""The alerts of the chart: each fires when it should and only then, goes again, and is explained."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.charts import nested
from helpers.metric_names import unknown_in
from helpers.promtool import alerts, promtool, rendered_rules, write_rules
from helpers.repository import ROOT
from testbed.steps import StepFailed

pytestmark = [pytest.mark.chart, pytest.mark.promtool]

CASES = {path.stem: path for path in sorted((Path(__file__).parent / "alerts").glob("*.yaml"))}
"""Tests of promtool, one file for each alert, named after it."""
LARGEST = {
    "jobStalled": {"afterSeconds": 604800},
    "watchStale": {"afterSeconds": 604800},
    "reconcileErrors": {"errors": 1000000, "windowSeconds": 86400},
    "quarantineHigh": {"percent": 99, "minRows": 1000000000},
}
RUNBOOK = ROOT / "docs" / "runbook.md"


def expectations(path: Path) -> list[dict[str, Any]]:
    return [one for test in yaml.safe_load(path.read_text())["tests"] for one in test["alert_rule_test"]]


@pytest.mark.parametrize("values", [{}, LARGEST], ids=["defaults", "largest"])
def test_prometheus_takes_the_rules(values: dict[str, Any], tmp_path: Path) -> None:
    told = promtool("check", "rules", "--lint-fatal", write_rules(rendered_rules(values), tmp_path))
    assert f"{len(CASES)} rules found" in told


def test_large_numbers_are_written_with_all_their_digits() -> None:
    written = "".join(rule["expr"] for rule in alerts(LARGEST).values())
    assert not re.search(r"\d[eE]\+", written)
    assert {"604800s", "1000000000"} <= set(re.findall(r"\w+", written))


@pytest.mark.parametrize("name", CASES)
def test_an_alert_fires_when_it_should_and_only_then(name: str, tmp_path: Path) -> None:
    write_rules(rendered_rules({}), tmp_path)
    promtool("test", "rules", shutil.copy(CASES[name], tmp_path))


@pytest.mark.parametrize("name", CASES)
def test_these_cases_see_an_alert_that_comes_too_early_or_too_late(name: str, tmp_path: Path) -> None:
    for wrong in ("0s" if name != "JobFailed" else "1h", "12h"):
        write_rules(rendered_rules(nested(name[0].lower() + name[1:], {"for": wrong})), tmp_path)
        with pytest.raises(StepFailed, match=name):
            promtool("test", "rules", shutil.copy(CASES[name], tmp_path))


def test_each_alert_has_cases_in_which_it_fires_and_in_which_it_does_not() -> None:
    assert CASES.keys() == alerts({}).keys()
    for name, path in CASES.items():
        found = expectations(path)
        assert {one["alertname"] for one in found} == {name}
        assert {bool(one.get("exp_alerts")) for one in found} == {True, False}, name
        assert not found[-1].get("exp_alerts") or len(found) > 2, name


def test_each_alert_asks_only_for_metrics_and_labels_of_the_docs() -> None:
    assert [(name, found) for name, rule in alerts({}).items() if (found := unknown_in(rule["expr"]))] == []


def test_an_unknown_metric_and_an_unknown_label_are_seen() -> None:
    assert unknown_in('sum by (team) (afray_jobs{phase="Failed"} and afray_job)') == {"afray_job", "team"}


def test_labels_for_routing_are_on_every_alert_but_never_instead_of_its_severity() -> None:
    told = alerts({"alertLabels": {"team": "platform", "severity": "page"}, "jobFailed": {"severity": "info"}})
    assert {rule["labels"]["team"] for rule in told.values()} == {"platform"}
    assert told["JobFailed"]["labels"]["severity"] == "info"
    assert told["WatchStale"]["labels"]["severity"] == "critical"


def test_the_runbook_has_a_section_for_each_alert_and_for_nothing_else() -> None:
    sections = re.split(r"^## ", RUNBOOK.read_text(), flags=re.MULTILINE)[1:]
    assert [section.split("\n", 1)[0] for section in sections] == list(alerts({}))
    for section in sections:
        assert all(part in section for part in ("**Means.**", "**Look at.**", "**Do.**")), section[:20]


def test_each_alert_says_what_is_wrong_and_links_to_its_section() -> None:
    for name, rule in alerts({"runbookUrl": "https://wiki.example.com/afray"}).items():
        assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
        assert rule["annotations"]["runbook_url"] == f"https://wiki.example.com/afray#{name.lower()}"


def test_by_default_an_alert_links_to_the_page_of_the_repository() -> None:
    (page,) = {rule["annotations"]["runbook_url"].partition("#")[0] for rule in alerts({}).values()}
    assert ROOT / page == RUNBOOK


def test_each_release_watches_its_own_operator() -> None:
    told = [rule["expr"] for rule in alerts({}).values() if "afray_operator_" in rule["expr"]]
    for expression in told:
        assert len(re.findall(r"afray_operator_\w+", expression)) == expression.count('namespace="afray-system"')
