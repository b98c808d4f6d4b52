"""What `afray estimate` understands, and what it says beside its figures."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers.manifests import CLUSTER, EVALUATION, make_job

from afray.algorithms.effort import Size
from afray.api.rules import Target
from afray.cli.durations import spell
from afray.cli.estimate import notes, read_prices
from afray.driver.estimating import Estimate
from afray.driver.forecast import Forecast, Place
from afray.errors import SpecError

FOUND = Estimate(
    forecast=Forecast(stages={"embed": 60.0}, memory=1, driver_memory=1, disk=1, output=1, money=None),
    place=Place(name="this machine", workers=1, machines=1, pods={"local": 1}),
    size=Size(rows=1, cores=1, budget=1),
    embed_rate=1.0,
    doubts=(),
)


def test_prices_are_read_by_name() -> None:
    assert read_prices(["gpu=2.50", "head=0"]) == {"gpu": 2.5, "head": 0.0}


@pytest.mark.parametrize("text", ["gpu", "gpu=", "=1", "gpu=cheap", "gpu=-1", "gpu=nan", "gpu=inf"])
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match=r"--price gpu=2\.50 for example") as refused:
        read_prices([text])
    assert refused.value.value == text


def test_a_quiet_machine_and_a_job_that_ends_with_its_selection_need_no_note() -> None:
    assert notes(make_job(), Target.run, FOUND, None) == []


def test_a_busy_machine_is_said_to_be_one() -> None:
    doubtful = replace(FOUND, doubts=("the processor was busy",))
    (said,) = notes(make_job(), Target.run, doubtful, None)
    assert said.startswith("the processor was busy. ")


def test_what_an_estimate_for_a_cluster_leaves_out_is_said() -> None:
    job = make_job({"spec.cluster": CLUSTER, "spec.evaluation": EVALUATION})
    assert [said.split()[0] for said in notes(job, Target.cluster, FOUND, None)] == ["pods", "group", "what"]
    assert [said.split()[0] for said in notes(job, Target.cluster, FOUND, 900.0)] == ["pods", "what"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0s"), (8.4, "8s"), (90, "1m30s"), (3600, "1h"), (19234, "5h20m"), (273605, "3d4h"), (86405, "1d")],
)
def test_spans_are_spelled_by_their_two_largest_units(seconds: float, text: str) -> None:
    assert spell(seconds) == text
