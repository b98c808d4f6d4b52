"""The bench: one protocol for all methods, cells that are never computed twice, statements that statistics backs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.labelled import blobs

from afray.algorithms import draws, methods, uherding
from afray.algorithms.activeft import ActiveFTOptions
from afray.algorithms.calibration import calibrate
from afray.algorithms.methods import SelectionOptions
from afray.algorithms.shards import LocalShards
from afray.errors import SpecError
from afray.evaluation import bench, probe
from afray.evaluation.bench import LabelledPool, Plan, Protocol
from afray.evaluation.cells import Cell, Results
from afray.evaluation.contenders import mislabel, parse_contender, select_budgets
from afray.evaluation.labels import LabelledRows, Labels

TOTAL = 300
QUICK = SelectionOptions(activeft=ActiveFTOptions(steps=3))


def small_pool(*, missing: int = 0) -> LabelledPool:
    """TOTAL rows, the first `missing` of which do not take part."""
    rows = blobs(TOTAL, classes=6, noise=0.8)
    return LabelledPool(
        rows=LabelledRows(vectors=rows.vectors[missing:], labels=rows.labels[missing:]),
        pool_ids=np.arange(missing, TOTAL),
        total=TOTAL,
    )


def heldout() -> LabelledRows:
    return blobs(200, classes=6, noise=0.8, seed=1)


def protocol(pool_size: int | None = 150) -> Protocol:
    return Protocol(pool_size=pool_size, options=QUICK)


def plan(names: str = "random,kmeans,bilaf", budgets: tuple[int, ...] = (10, 20), seeds: int = 2) -> Plan:
    return Plan(contenders=tuple(map(parse_contender, names.split(","))), budgets=budgets, seeds=tuple(range(seeds)))


def run(folder: Path, wanted: Plan, pool: LabelledPool | None = None, rules: Protocol | None = None) -> list[Cell]:
    pool, rules = pool or small_pool(), rules or protocol()
    results = Results(folder, rules.facts(pool, heldout()))
    return bench.run(pool, heldout(), wanted, rules, results, threads=2, progress=lambda *_: None)


def without_times(cells: list[Cell]) -> list[Cell]:
    return [replace(cell, seconds=0.0) for cell in cells]


def test_the_pool_of_a_seed_is_the_beginning_of_numpys_permutation_in_ascending_order() -> None:
    pool = small_pool()
    expected = np.sort(np.random.RandomState(3).permutation(TOTAL)[:150])
    arena = bench.prepare(pool, heldout(), protocol(), 3)
    assert arena.pool.labels.tolist() == pool.rows.labels[expected].tolist()


def test_rows_that_do_not_take_part_leave_the_draw_of_the_others_alone() -> None:
    drawn = np.sort(np.random.RandomState(0).permutation(TOTAL)[:150])
    arena = bench.prepare(small_pool(missing=100), heldout(), protocol(), 0)
    assert arena.pool.labels.tolist() == small_pool().rows.labels[drawn[drawn >= 100]].tolist()


def test_pool_and_test_rows_are_prepared_by_the_statistics_of_the_drawn_rows_alone() -> None:
    pool, test = small_pool(), heldout()
    drawn = np.sort(np.random.RandomState(0).permutation(TOTAL)[:150])
    raw = pool.rows.vectors[drawn].astype(np.float64)
    arena = bench.prepare(pool, test, protocol(), 0)
    for prepared, rows in ((arena.pool.vectors, raw), (arena.test.vectors, test.vectors)):
        standardised = (rows - raw.mean(0)) / raw.std(0)
        expected = standardised / np.linalg.norm(standardised, axis=1, keepdims=True)
        np.testing.assert_allclose(prepared, expected, atol=1e-5)


def test_without_a_pool_size_every_seed_sees_the_whole_pool() -> None:
    assert len(bench.prepare(small_pool(), heldout(), protocol(None), 0).pool.labels) == TOTAL


def test_a_cell_is_what_selecting_and_probing_by_hand_gives(tmp_path: Path) -> None:
    cells = run(tmp_path, plan("kmeans", (12,), seeds=1))
    arena = bench.prepare(small_pool(), heldout(), protocol(), 0)
    chosen = methods.select("kmeans", LocalShards(arena.pool.vectors), 12, SelectionOptions(seed=0)).rows
    worth = probe.evaluate(arena.pool.take(chosen), arena.test)
    assert (cells[0].linear, cells[0].nearest) == (worth.linear, worth.nearest)
    assert cells[0].key == ("kmeans", 12, 0)


def test_random_rows_come_from_the_seed(tmp_path: Path) -> None:
    cells = run(tmp_path, plan("random", (15,), seeds=2))
    for seed, cell in enumerate(cells):
        arena = bench.prepare(small_pool(), heldout(), protocol(), seed)
        rows = draws.draw(150, 15, seed, "random")
        assert cell.linear == probe.evaluate(arena.pool.take(rows), arena.test).linear


def test_bilaf_has_four_fifths_of_cores_unless_its_name_says_otherwise() -> None:
    base = SelectionOptions()
    assert parse_contender("bilaf").options(base, 100, 5).core_size == 80
    assert parse_contender("bilaf@0.25").options(base, 100, 5).core_size == 25
    assert parse_contender("bilaf@0.001").options(base, 100, 5).core_size == 1
    assert parse_contender("bilaf").options(base, 100, 5).activeft.seed == 5


@pytest.mark.parametrize("name", ["bilaff", "kmeans@0.5", "bilaf@2", "bilaf@", "bilaf@nan", ""])
def test_a_name_that_is_no_method_is_refused_with_the_names_that_are(name: str) -> None:
    with pytest.raises(SpecError, match="bilaf@") as caught:
        parse_contender(name)
    assert caught.value.value == name


@pytest.mark.parametrize("name", ["random", "kcenter", "kmeans"])
def test_budgets_computed_together_are_those_computed_alone(name: str) -> None:
    rows = blobs(120)
    shards = LocalShards(rows.vectors)
    together = select_budgets(parse_contender(name), shards, rows.labels, [20, 5], QUICK, 4)
    for choice, budget in zip(together, (5, 20), strict=True):
        alone = methods.select(parse_contender(name).method, shards, budget, SelectionOptions(seed=4))
        assert choice.rows.tolist() == alone.rows.tolist()


@pytest.mark.parametrize("name", ["uherding", "uherding@", "uherding@1", "uherding@two", "uherding@101"])
def test_rounds_are_a_number_from_two_on(name: str) -> None:
    with pytest.raises(SpecError, match="in how many rounds, from 2 to 100") as caught:
        parse_contender(name)
    assert caught.value.value == name


def test_wrong_labels_are_of_other_classes_and_as_many_as_asked_for_by_the_seed_alone() -> None:
    labels = blobs(200, classes=4).labels
    rows = np.arange(10, 150)
    wrong = mislabel(labels, rows, 0.1, 3)
    changed = np.flatnonzero(wrong != labels)
    assert len(changed) == 14
    assert set(changed.tolist()) <= set(rows.tolist())
    assert set(wrong.tolist()) == set(labels.tolist())
    assert mislabel(labels, rows, 0.1, 3).tolist() == wrong.tolist() != mislabel(labels, rows, 0.1, 4).tolist()
    assert mislabel(labels, rows, 0.0, 3).tolist() == labels.tolist()


def test_wrong_labels_move_later_rounds_alone_and_what_is_judged_is_right(tmp_path: Path) -> None:
    wanted, wrong = plan("kmeans,uherding@2", (60,)), replace(protocol(), wrong_labels=0.5)
    right, misled = run(tmp_path / "right", wanted), run(tmp_path / "wrong", wanted, rules=wrong)
    for one, other in zip(without_times(right), without_times(misled), strict=True):
        assert (one == other) == (one.method == "kmeans")
        assert other.linear.classes_hit <= 6
    with pytest.raises(SpecError, match="wrong_labels differ"):
        run(tmp_path / "right", wanted, rules=wrong)


def test_rounds_share_the_budget_and_see_the_labels_of_chosen_rows_alone() -> None:
    rows = blobs(150, classes=3, noise=1.2)
    shards = LocalShards(rows.vectors)

    def choose(labels: Labels) -> list[int]:
        (choice,) = select_budgets(parse_contender("uherding@3"), shards, labels, [20], QUICK, 4)
        return [int(row) for row in choice.rows]

    first, second = 6, 13  # thirds of 20, rounded down
    chosen = choose(rows.labels)
    assert len(set(chosen)) == 20
    at_once = methods.select("kmeans", shards, first, SelectionOptions(seed=4)).rows
    assert chosen[:first] == at_once.tolist()
    labelled = np.sort(chosen[:second])
    _, classes = np.unique(rows.labels[labelled], return_inverse=True)
    model = calibrate(rows.vectors[labelled], classes.astype(np.int64))
    assert chosen[second:] == uherding.select(shards, labelled, model, 20 - second).tolist()
    unseen = rows.labels.copy()
    unseen[np.setdiff1d(np.arange(150), chosen[:second])] = "nobody knows"
    assert choose(unseen) == chosen
    swapped = rows.labels.copy()
    swapped[chosen[:first]] = np.roll(rows.labels[chosen[:first]], 1)
    assert choose(swapped) != chosen


def test_a_stopped_bench_goes_on_without_computing_a_cell_twice(tmp_path: Path) -> None:
    expected = run(tmp_path / "whole", plan())
    file = tmp_path / "stopped" / "results.jsonl"
    run(file.parent, plan(seeds=1))
    finished = file.read_text()
    cells = run(file.parent, plan())
    assert file.read_text().startswith(finished)
    assert len(file.read_text().splitlines()) == 1 + len(plan().keys)
    assert without_times(cells) == without_times(expected)


def test_a_line_that_a_killed_process_left_unfinished_is_computed_again(tmp_path: Path) -> None:
    expected = run(tmp_path, plan("random"))
    file = tmp_path / "results.jsonl"
    file.write_text(file.read_text()[:-20])
    assert without_times(run(tmp_path, plan("random"))) == without_times(expected)
    assert [json.loads(line) for line in file.read_text().splitlines()]


def test_more_methods_budgets_and_seeds_may_be_asked_of_the_same_folder(tmp_path: Path) -> None:
    first = run(tmp_path, plan("random", (10,), seeds=1))
    more = run(tmp_path, plan("random,kmeans", (10, 20), seeds=2))
    assert first[0] in more
    assert len(more) == 8


def test_results_of_another_protocol_are_refused_and_the_difference_is_named(tmp_path: Path) -> None:
    run(tmp_path, plan("random"))
    with pytest.raises(SpecError, match=r"--results: .*pool_size differ"):
        run(tmp_path, plan("random"), rules=protocol(140))
    with pytest.raises(SpecError, match=r"pool differ"):
        run(tmp_path, plan("random"), pool=small_pool(missing=1))


def test_a_budget_above_the_drawn_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"--budgets.*150 labelled rows"):
        run(tmp_path, plan("random", (151,)))
