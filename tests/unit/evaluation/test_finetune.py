"""The finetune learns, stops and goes on without a trace, and says where its figures come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.labelled import TinyEncoder, coloured_images

from afray.evaluation import folds, training
from afray.evaluation.augmentation import augment
from afray.evaluation.checkpoint import Checkpoint
from afray.evaluation.classifier import Classifier
from afray.evaluation.finetune import Basis, Finetune, FinetuneResult, Report, Task
from afray.evaluation.images import ImagesInMemory
from afray.evaluation.labels import OneClass
from afray.evaluation.training import Recipe, seeded

Weights = dict[str, torch.Tensor]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Networks this small only wait for a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Stopped(Exception):
    """Raised from `keep`, as a killed process would stop."""


class Log:
    """Keeps checkpoints as bytes, and stops after `stop_after` of them."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.stop_after = stop_after
        self.kept: list[bytes] = []
        self.reports: list[Report] = []

    def __call__(self, checkpoint: Checkpoint, report: Report) -> None:
        self.kept.append(checkpoint.to_bytes())
        self.reports.append(report)
        if len(self.kept) == self.stop_after:
            raise Stopped


def task(count: int = 24, *, has_evaluation: bool = True, epochs: int = 4) -> Task:
    return Task(
        make_encoder=TinyEncoder,
        selected=coloured_images(count),
        evaluation=coloured_images(90, seed=1) if has_evaluation else None,
        recipe=Recipe(epochs=epochs, batch_size=10, encoder_rate=1e-3, head_rate=1e-1),
    )


def finish(work: Task, start: bytes | None = None, log: Log | None = None) -> tuple[FinetuneResult, Weights]:
    checkpoint = Checkpoint.from_bytes(start) if start else None
    return Finetune(work, start=checkpoint, keep=log or Log()).run()


def assert_same(left: Weights, right: Weights) -> None:
    assert left.keys() == right.keys()
    assert [name for name in left if not torch.equal(left[name], right[name])] == []


def test_colours_are_learnt_and_scored_on_the_evaluation_set() -> None:
    result, _ = finish(task())
    assert result.metrics.accuracy > 0.9
    assert result.metrics.test_rows == 90
    assert result.basis is Basis.evaluation_set
    assert result.classes == ("blue", "green", "red")
    assert (result.train_rows, result.epochs) == (24, 4)
    assert result.train_seconds > 0


def test_labels_without_meaning_are_not_predicted() -> None:
    work = task()
    shuffled = ImagesInMemory(
        pixels=work.selected.pixels, labels=np.random.default_rng(1).permutation(work.selected.labels)
    )
    assert finish(replace(work, selected=shuffled))[0].metrics.accuracy < 0.7


@pytest.mark.parametrize("stop_after", [1, 3, 4])
def test_a_stopped_finetune_ends_with_the_weights_of_one_that_was_not(stop_after: int) -> None:
    expected_result, expected = finish(task())
    log = Log(stop_after)
    with pytest.raises(Stopped):
        finish(task(), log=log)
    later = Log()
    result, weights = finish(task(), log.kept[-1], later)
    assert_same(weights, expected)
    assert result.metrics == expected_result.metrics
    assert len(later.kept) == 4 - stop_after


@pytest.mark.parametrize("stop_after", [2, 3, 8])
def test_cross_validation_goes_on_in_the_phase_where_it_stopped(stop_after: int) -> None:
    work = task(12, has_evaluation=False, epochs=2)
    whole = Log()
    expected_result, expected = finish(work, log=whole)
    log = Log(stop_after)
    with pytest.raises(Stopped):
        finish(work, log=log)
    later = Log()
    result, weights = finish(work, log.kept[-1], later)
    assert_same(weights, expected)
    assert result.metrics == expected_result.metrics
    assert [report.done for report in later.reports] == list(range(stop_after + 1, 13))
    assert {report.total for report in whole.reports} == {12}


def test_without_an_evaluation_set_the_figure_is_cross_validated_and_says_so() -> None:
    result, weights = finish(task(30, has_evaluation=False))
    assert result.basis is Basis.selected_rows
    assert "biased" in result.basis
    assert result.metrics.test_rows == 30
    assert result.metrics.accuracy > 0.8
    # The network that is handed out saw every label, as with an evaluation set.
    assert_same(weights, finish(task(30))[1])


def test_running_statistics_of_batch_normalisation_do_not_move_but_its_weights_do() -> None:
    before = TinyEncoder().state_dict()
    _, weights = finish(task())
    assert torch.equal(weights["encoder.normalisation.running_mean"], before["normalisation.running_mean"])
    assert not torch.equal(weights["encoder.normalisation.weight"], before["normalisation.weight"])
    assert not torch.equal(weights["encoder.convolution.weight"], before["convolution.weight"])


def test_another_seed_gives_other_weights() -> None:
    work = task()
    other = replace(work, recipe=replace(work.recipe, seed=1))
    assert not torch.equal(finish(work)[1]["head.weight"], finish(other)[1]["head.weight"])


def test_a_finetune_leaves_the_callers_random_state_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    finish(task(epochs=1))
    assert torch.equal(torch.rand(1), expected)


def test_one_class_is_refused_before_anything_is_trained() -> None:
    work = task()
    same = ImagesInMemory(pixels=work.selected.pixels, labels=np.array(["red"] * 24))
    with pytest.raises(OneClass, match="'red'"):
        Finetune(replace(work, selected=same), start=None, keep=Log())


def test_every_row_is_held_out_once_and_each_class_is_spread_over_the_folds() -> None:
    labels = np.array(["a"] * 10 + ["b"] * 5)
    *parts, last = folds.plan(labels, has_evaluation=False)
    assert sorted(np.concatenate([phase.held_out for phase in parts]).tolist()) == list(range(15))
    for phase in parts:
        assert sorted([*phase.train, *phase.held_out]) == list(range(15))
        assert labels[phase.held_out].tolist() == ["a", "a", "b"]
    assert last.train.tolist() == list(range(15))
    assert len(last.held_out) == 0


def test_fewer_rows_than_folds_are_held_out_one_by_one() -> None:
    phases = folds.plan(np.array(["a", "b", "a"]), has_evaluation=False)
    assert [len(phase.held_out) for phase in phases] == [1, 1, 1, 0]


def test_augmented_images_are_flips_and_small_moves_of_the_originals() -> None:
    side, reach = 32, 2
    image = torch.arange(side * side, dtype=torch.float32).reshape(1, 1, side, side).expand(40, 3, side, side)
    with seeded(torch.device("cpu"), 7):
        moved = augment(image)
    assert moved.shape == image.shape
    centres = moved[:, 0, side // 2, side // 2]
    rows, columns = centres.div(side, rounding_mode="floor"), centres % side
    assert set(rows.tolist()) <= {float(side // 2 + move) for move in range(-reach, reach + 1)}
    assert set(columns.tolist()) <= {float(base + move) for base in (15, 16) for move in range(-reach, reach + 1)}
    assert len({tuple(picture.flatten().tolist()) for picture in moved[:, 0]}) > 10


def test_learning_rates_fall_by_half_a_cosine() -> None:
    recipe = Recipe(epochs=10)
    optimiser = training.make_optimiser(Classifier(TinyEncoder(), 8, 2), recipe)
    rates = []
    for progress in (0.0, 0.5, 1.0):
        training.set_rates(optimiser, recipe, progress)
        rates.append([group["lr"] for group in optimiser.param_groups])
    assert rates[0] == [recipe.encoder_rate, recipe.head_rate]
    assert rates[1] == pytest.approx([recipe.encoder_rate / 2, recipe.head_rate / 2])
    assert rates[2] == pytest.approx([0, 0])
