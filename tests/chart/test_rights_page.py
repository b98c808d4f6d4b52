"""The operator's rights in docs/rights.md are those that the chart gives."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

import pytest
from helpers.charts import only, render
from helpers.repository import ROOT

pytestmark = pytest.mark.chart

ROW = re.compile(r"^\| (`[^|]+) \| ([a-z, ]+) \|", re.MULTILINE)
Table = Mapping[str, set[str]]
"""Verbs by resource."""


def on_the_page() -> Table:
    _, _, section = (ROOT / "docs" / "rights.md").read_text().partition("## What the operator may do")
    section, _, _ = section.partition("\n## ")
    return {
        name: set(verbs.split(", ")) for names, verbs in ROW.findall(section) for name in re.findall("`(.+?)`", names)
    }


def in_the_chart() -> Table:
    made = render({})
    given: defaultdict[str, set[str]] = defaultdict(set)
    for kind, name in (("ClusterRole", "afray"), ("Role", "afray-leader")):
        for rule in only(made, kind, name)["rules"]:
            for resource in rule["resources"]:
                given[resource] |= set(rule["verbs"])
    return given


def test_the_table_has_every_right_and_no_other() -> None:
    assert on_the_page() == in_the_chart()
