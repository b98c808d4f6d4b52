"""What is said of classes that the labels of all rounds say little or nothing about."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.manifests import make_job

from afray.driver.rounds.classes import find_poor, find_poor_of, find_thin


def label(*names: str) -> dict[str, str]:
    return {f"{number:02d}.png": name for number, name in enumerate(names)}


KNOWN = {"spec.evaluation.labels": label("burr", "dent", "good", "good", "rust", "scratch")}


def test_nothing_is_said_of_labels_of_every_class() -> None:
    assert list(find_poor(label("burr", "burr", "good", "good"), {"spec.pool.labels": label("burr", "good")})) == []
    assert list(find_poor(label("burr", "burr", "good", "good"), {})) == []


def test_classes_that_nobody_has_labelled_are_named_with_the_file_that_knows_them() -> None:
    (found,) = find_thin(label("burr", "burr", "dent", "dent", "good", "good"), KNOWN)
    assert found.problem == "2 of the 5 classes of spec.evaluation.labels have no label: 'rust', 'scratch'"
    assert "let the next round be larger" in found.remedy


def test_fewer_labels_than_classes_are_said_to_be_so() -> None:
    unlabelled, single = find_thin(label("burr", "dent"), KNOWN)
    assert unlabelled.problem == (
        "3 of the 5 classes of spec.evaluation.labels have no label: 'good', 'rust', 'scratch'; "
        "there are fewer labels (2) than classes"
    )
    assert single.problem == "2 of 2 classes have a single label: 'burr', 'dent'"


@pytest.mark.parametrize("count", [1, 4])
def test_one_class_alone_is_said_to_tell_nothing_apart(count: int) -> None:
    (found,) = find_poor(label(*["good"] * count), {})
    assert found.problem == f"all {count} labels are of one class ('good')"
    assert "covers the pool without a model" in found.remedy
    assert list(find_thin(label(*["good"] * count), {})) == []


def test_known_labels_that_cannot_be_read_are_a_note_beside_the_rest(tmp_path: Path) -> None:
    gone = {"uri": str(tmp_path / "gone.csv"), "format": "csv"}
    job = make_job({"spec.pool.labels": gone})
    unread, single = find_poor_of(label("good", "good"), job)
    assert "can not be looked up" in unread.problem
    assert "gone.csv" in unread.problem
    assert single.problem == "all 2 labels are of one class ('good')"
