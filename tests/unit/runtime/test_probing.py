"""A product is chosen by what it took, and not at all where that says nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from helpers import synthetic

from afray.algorithms.gemm import Compute
from afray.runtime import probing
from afray.runtime.probing import DEFAULT, decide, probe

ROWS = synthetic.make(400, 5, dim=16)
PRODUCTS = {DEFAULT: Compute(), "torch float32": Compute(gemm="torch")}


@pytest.mark.parametrize(
    ("default", "other", "chosen", "is_clear"),
    [
        ([10, 10, 11], [5, 5, 6], "b", True),
        ([10, 10, 11], [12, 13, 12], "a", True),
        ([10, 30, 11], [5, 6, 9], "b", True),  # unsteady, but never as fast
        ([10, 30, 10], [8, 20, 9], "b", True),  # a neighbour slows both down
        ([10, 30, 12], [20, 16, 10], "a", False),
        ([10, 10, 10.2], [9.8, 9.9, 10.1], "a", True),  # too little to gain
        ([10, 30, 10], [8, 12, 9.6], "a", False),
        ([10, 10, 10], [8, 30, 9], "a", False),
        ([10, 30, 10], [40, 50, 60], "a", False),
    ],
)
def test_the_faster_product_is_chosen_where_the_times_bear_it_out(
    default: list[float], other: list[float], chosen: str, is_clear: bool
) -> None:
    assert decide({"a": default, "b": other}) == (chosen, is_clear)


def clock_of(turns: Callable[[int], float]) -> Callable[[], float]:
    """A clock by which the n-th call that is timed takes turns(n) seconds."""

    def readings() -> Iterator[float]:
        now, number = 0.0, 0
        while True:
            yield now
            now += turns(number)
            yield now
            number += 1

    found = readings()
    return lambda: next(found)


def test_a_steady_machine_gets_its_fastest_product_without_a_word() -> None:
    choice = probe(ROWS, PRODUCTS, clock_of(lambda number: 0.2 if number % 2 == 0 else 0.1))
    assert (choice.name, choice.compute, choice.warning) == ("torch float32", Compute(gemm="torch"), "")
    assert choice.rates == pytest.approx({DEFAULT: 2.0, "torch float32": 4.0})


def test_a_machine_that_slows_down_is_told_what_was_measured_and_what_was_chosen() -> None:
    choice = probe(ROWS, PRODUCTS, clock_of(lambda number: 0.1 * 1.3**number))
    assert choice.compute == Compute()
    assert "numpy float32 0" in choice.warning
    assert "torch float32 0" in choice.warning
    assert "the machine is busy" in choice.warning
    assert "Going on with numpy float32" in choice.warning


def test_a_machine_that_calms_down_is_measured_again() -> None:
    noisy = len(PRODUCTS) * (1 + probing.TURNS)
    choice = probe(ROWS, PRODUCTS, clock_of(lambda number: 0.1 * (1 + number % 3) if number < noisy else 0.1))
    assert (choice.name, choice.warning) == (DEFAULT, "")


def test_what_a_machine_only_imitates_or_does_not_have_is_tried_once(caplog: pytest.LogCaptureFixture) -> None:
    products = {**PRODUCTS, "a GPU that is not there": Compute(proposals="tf32", device="cuda:99")}
    # By the clock the second product takes a hundred times as long when it is screened.
    choice = probe(ROWS, products, clock_of(lambda number: 10.0 if number == 1 else 0.1))
    assert set(choice.rates) == {DEFAULT}
    assert choice.warning == ""


def test_small_work_is_not_worth_a_trial() -> None:
    assert not probing.is_worth_it(50_000, 250, 384)
    assert probing.is_worth_it(1_281_167, 6405, 384)


def test_a_forced_kernel_is_named_with_the_way_out(caplog: pytest.LogCaptureFixture) -> None:
    probing.complain_of_forced_kernels({"OPENBLAS_CORETYPE": "Haswell"})
    assert "OPENBLAS_CORETYPE=Haswell is set" in caplog.text
    caplog.clear()
    probing.complain_of_forced_kernels({})
    assert caplog.text == ""
