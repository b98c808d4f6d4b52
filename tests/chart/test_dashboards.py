"""The dashboards of the chart: judged by Grafana's own schema, and by Prometheus and the docs for what they ask."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from afray_operator import dashboards
from helpers.charts import only, render
from helpers.made_up_series import series
from helpers.metric_names import documented, unknown_in
from helpers.promtool import check_that_each_finds_something
from helpers.repository import ROOT
from testbed.commands import run
from testbed.gomodules import program
from testbed.steps import StepFailed

pytestmark = pytest.mark.chart

BOARDS = {path.stem: json.loads((ROOT / path).read_text()) for path in dashboards.BOARDS}
CHOSEN = {"$__rate_interval": "2m", "$__range": "6h", "$namespace": "a", "$queue": ".*", "$job": "welds"}
"""What Grafana puts in the place of variables."""
UNITS = {"s", "short", "percentunit", "ops", "wps", "binBps", "suffix: rows/s", "suffix: GPU h"}


def judge(board: object) -> None:
    """By Grafana's schema. Raises StepFailed with the place of what is wrong."""
    run([program("grafana-check")], given=json.dumps(board), remedy="correct the dashboard where the message says")


def panels(name: str) -> list[dict[str, Any]]:
    return [panel for panel in BOARDS[name]["panels"] if panel["type"] != "row"]


def expressions(name: str) -> Iterator[str]:
    for panel in panels(name):
        for target in panel.get("targets", []):
            text = target["expr"]
            for variable, value in CHOSEN.items():
                text = text.replace(variable, value)
            yield text


def changed(name: str, **fields: object) -> dict[str, Any]:
    first, *others = BOARDS[name]["panels"][1:]
    return {**BOARDS[name], "panels": [{**first, **fields}, *others]}


@pytest.mark.parametrize("path", dashboards.BOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_what_its_module_says(path: Path) -> None:
    assert (ROOT / path).read_text() == dashboards.render(dashboards.BOARDS[path]), "run: make generate"


def test_make_generate_writes_them(tmp_path: Path) -> None:
    (tmp_path / dashboards.FOLDER).mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "afray_operator.dashboards"], check=True, cwd=tmp_path)
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*.json")} == set(dashboards.BOARDS)
    assert "-m afray_operator.dashboards" in (ROOT / "Makefile").read_text()


@pytest.mark.grafana
@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_fits_the_schema_of_grafana(name: str) -> None:
    judge(BOARDS[name])


@pytest.mark.grafana
@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"heigth": 4}, "heigth"),
        ({"gridPos": {"h": "tall", "w": 4, "x": 0, "y": 0}}, "gridPos"),
        ({"options": {}}, "reduceOptions"),
        ({"fieldConfig": {"defaults": {"units": "s"}, "overrides": []}}, "units"),
        ({"targets": [{"refId": "A", "datasource": {"type": "prometheus"}, "exp": "up"}]}, "exp"),
    ],
    ids=["name", "type", "required", "field", "query"],
)
def test_the_schema_sees_a_mistake_in_a_panel(fields: dict[str, object], complaint: str) -> None:
    with pytest.raises(StepFailed, match=complaint):
        judge(changed("job", **fields))


@pytest.mark.promtool
@pytest.mark.parametrize("name", BOARDS)
def test_every_query_finds_something_where_every_metric_has_a_series(name: str, tmp_path: Path) -> None:
    check_that_each_finds_something(list(expressions(name)), series(), tmp_path)


@pytest.mark.promtool
@pytest.mark.parametrize(
    "wrong", ["sum(afray_jobs", "afray_jobs * on (queue) afray_job_phase", 'afray_jobs{phase="No"}']
)
def test_a_query_that_is_none_or_finds_nothing_is_seen(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="FAILED"):
        check_that_each_finds_something([wrong], series(), tmp_path)


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_asks_only_for_metrics_and_labels_of_the_docs(name: str) -> None:
    variables = [one["definition"] for one in BOARDS[name]["templating"]["list"] if one["type"] == "query"]
    assert [(text, found) for text in [*expressions(name), *variables] if (found := unknown_in(text))] == []


@pytest.mark.parametrize("name", BOARDS)
def test_a_legend_names_labels_that_the_query_keeps(name: str) -> None:
    for panel in panels(name):
        for target in panel.get("targets", []):
            kept = set(re.findall(r"\w+", " ".join(re.findall(r"\bby \(([^)]*)\)", target["expr"]))))
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= kept, panel["title"]


@pytest.mark.parametrize("name", BOARDS)
def test_every_panel_explains_itself_and_has_a_unit(name: str) -> None:
    for panel in panels(name):
        if panel["type"] == "text":
            continue
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]


@pytest.mark.parametrize("name", BOARDS)
def test_panels_lie_beside_each_other_and_have_numbers_of_their_own(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARDS[name]["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells
    numbers = [panel["id"] for panel in BOARDS[name]["panels"]]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("name", BOARDS)
def test_a_reader_chooses_source_and_namespace_and_every_choice_is_used(name: str) -> None:
    chosen = [one["name"] for one in BOARDS[name]["templating"]["list"]]
    assert chosen == ["datasource", "namespace", {"job": "job", "fleet": "queue"}[name]]
    asked = json.dumps(BOARDS[name]["panels"])
    assert all(f"${variable}" in asked or f"${{{variable}}}" in asked for variable in chosen)
    assert {panel["datasource"]["uid"] for panel in panels(name) if "targets" in panel} == {"${datasource}"}


def test_the_two_show_what_their_readers_look_for() -> None:
    shown = {name: {panel["title"] for panel in panels(name)} for name in BOARDS}
    assert shown["job"] >= {
        "Rows of the pool", "Progress", "Time left in the stage", "Rows embedded, by worker",
        "Phases and their reasons",
    }  # fmt: skip
    assert shown["fleet"] >= {
        "Jobs by phase", "Jobs by namespace, queue and phase", "Queue wait", "Failures by reason", "Leaders",
    }  # fmt: skip


def test_every_metric_of_the_operator_is_on_a_dashboard() -> None:
    asked = " ".join(text for name in BOARDS for text in expressions(name))
    families = {re.sub(r"_(bucket|count|sum)$", "", metric) for metric in documented() if metric.startswith("afray_")}
    assert {one for one in families if one not in asked} == {"afray_job_attempt"}


def test_grafana_finds_them_by_the_label_of_its_sidecar_and_each_has_a_file_of_its_own() -> None:
    made = render({"monitoring": {"dashboards": {"enabled": True, "annotations": {"grafana_folder": "afray"}}}})
    for name, board in BOARDS.items():
        found = only(made, "ConfigMap", f"afray-dashboard-{name}")
        assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert found["metadata"]["annotations"] == {"grafana_folder": "afray"}
        ((file, content),) = found["data"].items()
        assert file == f"afray-{name}.json"
        assert json.loads(content) == board
