"""Prometheus' own judgement: of rules, of what they do on made-up series, and of a page of metrics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from helpers.charts import Values, only, render
from testbed import prometheus
from testbed.commands import Argument, run

Rule = Mapping[str, Any]


def promtool(*arguments: Argument, given: str | None = None) -> str:
    """Run it. Raises StepFailed with its message."""
    remedy = "promtool's message says which rule, series or metric it means"
    return run([prometheus.program("promtool"), *arguments], given=given, remedy=remedy)


def rendered_rules(values: Values) -> dict[str, Any]:
    """The rules of the chart, in the form of a file for Prometheus; `values` are those of monitoring.rules."""
    made = render({"monitoring": {"rules": {"enabled": True, **values}}})
    spec: dict[str, Any] = only(made, "PrometheusRule")["spec"]
    return spec


def alerts(values: Values) -> dict[str, Rule]:
    """Every alert by its name."""
    return {rule["alert"]: rule for group in rendered_rules(values)["groups"] for rule in group["rules"]}


def write_rules(groups: Mapping[str, Any], folder: Path) -> Path:
    """A file of rules in a folder, as tests of promtool name it."""
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump(dict(groups)))
    return path


def check_that_each_finds_something(expressions: list[str], series: list[dict[str, str]], folder: Path) -> None:
    """Have each worked out after an hour of these series. Raises StepFailed with those that fail or find nothing."""
    cases = [
        {"expr": f"count({text}) > bool 0", "eval_time": "1h", "exp_samples": [{"labels": "{}", "value": 1}]}
        for text in expressions
    ]
    path = folder / "cases.yaml"
    path.write_text(yaml.safe_dump({"tests": [{"interval": "1m", "input_series": series, "promql_expr_test": cases}]}))
    promtool("test", "rules", path)
