"""When the labels that came back are enough to go on with."""

from __future__ import annotations

import pytest

from afray.driver.labelling import Labels, check_selected
from afray.errors import PoolError
from afray.pool.answers import Answers

SELECTED = [f"{row:02d}.png" for row in range(40)]


def make_answers(labelled: int, *, skipped: int = 0, unsure: int = 0, classes: int = 2) -> Answers:
    """Answers for the first rows of the selection: labels, then skips, then doubts."""
    rows = iter(SELECTED)
    return Answers(
        labels={next(rows): f"class-{row % classes}" for row in range(labelled)},
        skipped=frozenset(next(rows) for _ in range(skipped)),
        unsure=frozenset(next(rows) for _ in range(unsure)),
        listed=40,
    )


@pytest.mark.parametrize("counts", [(40, 0, 0), (38, 0, 0), (2, 20, 16), (36, 1, 1)])
def test_ninety_five_percent_of_answers_are_enough_whatever_they_are(counts: tuple[int, int, int]) -> None:
    labelled, skipped, unsure = counts
    check_selected(make_answers(labelled, skipped=skipped, unsure=unsure), SELECTED)


@pytest.mark.parametrize("counts", [(37, 0, 0), (35, 1, 1)])
def test_fewer_answers_are_refused_with_what_is_missing(counts: tuple[int, int, int]) -> None:
    labelled, skipped, unsure = counts
    with pytest.raises(
        PoolError, match=r"37 of 40 selected rows are answered, 95% are needed; 3 are missing.*'37\.png'"
    ):
        check_selected(make_answers(labelled, skipped=skipped, unsure=unsure), SELECTED)


def test_rows_that_were_selected_twice_are_asked_for_once() -> None:
    check_selected(make_answers(38), [*SELECTED, *SELECTED[38:] * 10])


@pytest.mark.parametrize("where", ["labels", "skipped", "unsure"])
def test_an_answer_about_a_row_that_was_not_selected_is_refused(where: str) -> None:
    labels = make_answers(40).labels
    stray = {
        "labels": Answers(labels={**labels, "other.png": "class-0"}, listed=41),
        "skipped": Answers(labels=labels, skipped=frozenset({"other.png"}), listed=41),
        "unsure": Answers(labels=labels, unsure=frozenset({"other.png"}), listed=41),
    }
    with pytest.raises(PoolError, match=r"1 of 41 ids are of no selected row: 'other\.png'"):
        check_selected(stray[where], SELECTED)


@pytest.mark.parametrize(
    ("answers", "named"), [(make_answers(40, classes=1), "'class-0' only"), (make_answers(0, skipped=40), "no class")]
)
def test_two_classes_are_needed(answers: Answers, named: str) -> None:
    with pytest.raises(PoolError, match=f"the labels name {named}; two classes are needed"):
        check_selected(answers, SELECTED)


def test_every_change_of_what_people_said_changes_the_digest() -> None:
    said = [
        None,
        make_answers(20),
        make_answers(20, skipped=1),
        make_answers(20, unsure=1),
        make_answers(21),
        make_answers(20, classes=3),
    ]
    digests = {Labels(pool=None, selected=answers, heldout=None).digest for answers in said}
    known = Labels(pool={"a": "b"}, selected=None, heldout=None), Labels(pool=None, selected=None, heldout={"a": "b"})

    assert len(digests | {labels.digest for labels in known}) == len(said) + 2


def test_labels_of_people_go_before_those_known_beforehand() -> None:
    people = make_answers(2, skipped=1)

    assert Labels(pool={"a": "b"}, selected=people, heldout=None).of_selection == people.labels
    assert Labels(pool={"a": "b"}, selected=None, heldout=None).of_selection == {"a": "b"}
    assert Labels(pool=None, selected=None, heldout=None).of_selection is None
