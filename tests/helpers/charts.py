"""The chart as Helm renders it, without a cluster."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from helpers.repository import ROOT
from testbed import helm
from testbed.commands import Argument, run
from testbed.steps import StepFailed

CHART = ROOT / "charts" / "afray"
SETS = {path.stem: path for path in sorted((ROOT / "tests" / "chart" / "values").glob("*.yaml"))}
"""Files of values, each for a way to install the chart."""
NAMESPACE = "afray-system"
RELEASE = "afray"
MONITORING = "monitoring.coreos.com/v1"
MONITORING_KINDS = ("PodMonitor", "ServiceMonitor", "PrometheusRule")
MONITORING_IS_THERE = tuple(f"--api-versions={MONITORING}/{kind}" for kind in MONITORING_KINDS)
"""Options by which Helm takes the Prometheus operator's CRDs for installed."""

Manifest = Mapping[str, Any]
Values = Mapping[str, Any]


def render(values: Values | Path, *options: str, tests: bool = False, release: str = RELEASE) -> list[Manifest]:
    """What the chart makes of values, given or in a file; with `tests` also of `helm test`.

    Raises StepFailed with Helm's message.
    """
    given = values.read_text() if isinstance(values, Path) else json.dumps(values)
    return _rendered(given, release, (*MONITORING_IS_THERE, *(() if tests else ("--skip-tests",)), *options))


@cache
def _rendered(given: str, release: str, options: tuple[str, ...]) -> list[Manifest]:
    return parse(_template(given, options, release))


def parse(text: str) -> list[Manifest]:
    """The objects of a stream of YAML."""
    return [found for found in yaml.load_all(text, Loader=yaml.CSafeLoader) if found]


def _template(given: str, options: Sequence[str], release: str = RELEASE) -> str:
    command: list[Argument] = [
        helm.program(),
        "template",
        release,
        CHART,
        "--namespace",
        NAMESPACE,
        "--values",
        "-",
        *options,
    ]
    return run(command, given=given, remedy=helm.READ_THE_MESSAGE)


def refusal(values: Values, *options: str) -> str:
    """Why Helm will not render the chart with these values, on a cluster without the Prometheus operator."""
    try:
        _template(json.dumps(values), options)
    except StepFailed as refused:
        return re.sub(r"\s+", " ", str(refused))
    raise AssertionError(f"Helm takes {values}")


def nested(path: str, value: object) -> dict[str, Any]:
    """Values that set one, by its path."""
    name, _, rest = path.partition(".")
    return {name: nested(rest, value) if rest else value}


def identities(manifests: Sequence[Manifest]) -> set[tuple[str, str, str]]:
    """Kind, namespace and name of each."""
    return {(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]) for one in manifests}


def only(manifests: Sequence[Manifest], kind: str, name: str | None = None) -> Any:
    """The one object of a kind, or of a kind and name."""
    (found,) = (one for one in manifests if one["kind"] == kind and name in (None, one["metadata"]["name"]))
    return found
