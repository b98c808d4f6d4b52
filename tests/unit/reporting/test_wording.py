from collections.abc import Callable

import pytest
from helpers import reports

from afray.reporting import summary, wording
from afray.reporting.report import Evaluation, LinearProbe, RandomDraw, Report, Stage


def make_report(*, boundary: int = 8, evaluation: Evaluation | None = None) -> Report:
    return summary.build_report(reports.make_report_data(boundary=boundary, evaluation=evaluation))


def make_probe(selected: float, *random: float, spread: float | None = None) -> LinearProbe:
    return LinearProbe(
        labels=10,
        selected=selected,
        macro_recall=selected,
        classes_hit=2,
        random=tuple(
            RandomDraw(seed=seed, accuracy=accuracy, macro_recall=accuracy, classes_hit=2)
            for seed, accuracy in enumerate(random)
        ),
        random_mean=sum(random) / len(random) if random else None,
        random_sd=spread,
        random_macro_recall=sum(random) / len(random) if random else None,
        random_classes_hit=2 if random else None,
        test_rows=100,
    )


def make_axis(probe: LinearProbe) -> tuple[Callable[[float], float], tuple[float, float]]:
    axis = wording.probe_axis(probe)
    assert axis is not None
    return axis


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0421, "0.0421 s"), (12.34, "12.3 s"), (71.2, "1 min 11 s"), (3599.6, "1 h 0 min"), (7805, "2 h 10 min")],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert wording.duration(seconds).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("stage", "text"),
    [
        (Stage(name="embed", seconds=2.0, rows=12345), "6,170"),
        (Stage(name="embed", seconds=100.0, rows=433), "4.33"),
        (Stage(name="report", seconds=2.0), ""),
        (Stage(name="core", seconds=0.0, rows=5), ""),
    ],
)
def test_rates_have_three_figures_and_are_left_out_where_they_make_no_sense(stage: Stage, text: str) -> None:
    assert wording.rate(stage) == text


def test_counts_have_separators() -> None:
    assert [wording.count(1234567), wording.count(97.5)] == ["1,234,567", "97.5"]


def test_the_verdict_says_what_was_chosen_and_what_it_is_worth() -> None:
    assert wording.verdict(make_report()).replace("\u00a0", " ") == (
        "24 of 308 rows are worth a label first: 16 core and 8 boundary rows. With them a linear probe is right on "
        "78.1 % of the held-out rows, 3.5 points above as many random labels (74.6 ± 1.0 %)."
    )


def test_the_verdict_without_evaluation_or_boundary_claims_no_more_than_it_knows() -> None:
    verdict = wording.verdict(make_report(boundary=0, evaluation=Evaluation()))
    assert verdict == "16 of 308 rows are worth a label first: all of them core rows."


def test_a_loss_against_random_is_called_one() -> None:
    verdict = wording.verdict(make_report(evaluation=Evaluation(probe=make_probe(0.70, 0.72)))).replace("\u00a0", " ")
    assert "2.0 points below as many random labels (72.0 %)" in verdict


def test_without_random_labels_the_verdict_compares_with_nothing() -> None:
    verdict = wording.verdict(make_report(evaluation=Evaluation(probe=make_probe(0.781)))).replace("\u00a0", " ")
    assert verdict.endswith("With them a linear probe is right on 78.1 % of the held-out rows.")


def test_without_random_labels_there_is_no_strip_to_draw() -> None:
    assert wording.probe_axis(make_probe(0.781)) is None


def test_the_probe_axis_orders_accuracies_and_ends_within_zero_and_one() -> None:
    scale, ends = make_axis(make_probe(0.995, 0.9, 0.94, spread=0.028))
    assert 0 < scale(0.9) < scale(0.94) < scale(0.995) < wording.STRIP_WIDTH
    assert ends[1] == 1.0
    assert 0 <= ends[0] < 0.892


def test_equal_accuracies_have_an_axis_too() -> None:
    scale, ends = make_axis(make_probe(0.5, 0.5))
    assert ends[0] < 0.5 < ends[1]
    assert 0 < scale(0.5) < wording.STRIP_WIDTH
