from __future__ import annotations

import itertools
import json
import logging
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers.label_studio import (
    MORNING,
    NOON,
    Json,
    export,
    export_imported,
    export_labels,
    make_annotation,
    make_result,
    make_task,
)
from helpers.repository import ROOT

from afray.errors import IntegrityError, PoolError
from afray.pool import label_studio
from afray.pool.answers import Answers
from afray.pool.findings import Finding, refusing
from afray.pool.labels import read_answers

PLACE = "s3://plant/export.json"
FIRST_TASK = r"s3://plant/export\.json, task 1 \(id 1\)"


@dataclass(frozen=True)
class Export:
    uri: str
    format: str = "label-studio"


def read(*tasks: object) -> Answers:
    return label_studio.read(PLACE, export(*tasks), refusing(PLACE))


def outcomes(answers: Answers) -> dict[str, str]:
    """Label by id; the name of its set for a row that has none."""
    without = dict.fromkeys(answers.skipped, "skipped") | dict.fromkeys(answers.unsure, "unsure")
    assert not without.keys() & answers.labels.keys()
    return {**answers.labels, **without}


def outcome(*annotations: Json) -> str:
    """What a row with these annotations ends as."""
    (only,) = outcomes(read(make_task("a.png", *annotations))).values()
    return only


def complaint(*tasks: object) -> str:
    with pytest.raises(PoolError) as error:
        read(*tasks)
    return str(error.value)


def test_rows_are_found_by_the_id_that_the_task_carried_in_the_order_of_the_file() -> None:
    answers = read(
        make_task("b/ü.png", make_annotation("scratch"), number=40),
        make_task("a.png", make_annotation("dent"), number=7),
    )

    assert list(answers.labels.items()) == [("b/ü.png", "scratch"), ("a.png", "dent")]
    assert (len(outcomes(answers)), answers.listed) == (2, 2)


def test_whole_numbers_as_ids_become_text_as_everywhere() -> None:
    assert read(make_task(17, make_annotation("dent"))).labels == {"17": "dent"}


def test_predictions_and_drafts_are_no_answer() -> None:
    answers = read(make_task("a.png", predicted="dent"), make_task("b.png", make_annotation("scratch")))

    assert answers.labels == {"b.png": "scratch"}
    assert answers.ids == ("b.png",)
    assert answers.listed == 2


def test_a_skipped_task_is_answered_without_a_label() -> None:
    answers = read(make_task("a.png", make_annotation(skipped=True, result=[])))

    assert outcomes(answers) == {"a.png": "skipped"}
    assert answers.ids == ("a.png",)


@pytest.mark.parametrize("left", [{}, [], [make_result("dent")], [{"type": "relation"}], None, "?"], ids=repr)
def test_what_was_begun_before_a_skip_does_not_count(left: object) -> None:
    annotation = make_annotation("dent", skipped=True)
    annotation["result"] = left

    assert outcome(annotation) == "skipped"


def test_of_one_person_the_newest_annotation_counts_wherever_it_stands() -> None:
    old, new = make_annotation("dent", at=MORNING), make_annotation("scratch", at=NOON)

    assert outcome(old, new) == outcome(new, old) == "scratch"


def test_times_are_compared_across_offsets_and_without_one_they_are_utc() -> None:
    first = make_annotation("dent", at="2026-11-24T13:30:00+02:00")
    second = make_annotation("scratch", at="2026-11-24T11:45:00")

    assert outcome(second, first) == "scratch"


def test_at_the_same_time_the_later_one_in_the_file_counts() -> None:
    assert outcome(make_annotation("dent"), make_annotation("scratch")) == "scratch"


@pytest.mark.parametrize("by", [4, "4", {"id": 4, "email": "a@example.com", "first_name": "", "last_name": ""}])
def test_a_person_is_known_by_number_however_they_are_exported(by: object) -> None:
    assert outcome(make_annotation("dent", by=4, at=NOON), make_annotation("scratch", by=by, at=MORNING)) == "dent"


def test_annotators_whose_account_is_gone_count_as_different_people() -> None:
    assert outcome(make_annotation("dent", by=None, at=MORNING), make_annotation("scratch", by=None, at=NOON)) == (
        "unsure"
    )


def test_a_person_may_label_what_they_had_skipped_and_the_other_way_round() -> None:
    assert outcome(make_annotation(at=MORNING, skipped=True), make_annotation("dent", at=NOON)) == "dent"
    assert outcome(make_annotation("dent", at=MORNING), make_annotation(at=NOON, skipped=True)) == "skipped"


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["dent", "dent", "scratch"], "dent"),
        (["dent", "scratch"], "unsure"),
        (["dent", "dent", "scratch", "burr"], "dent"),
        (["dent", "dent", "scratch", "scratch", "burr"], "unsure"),
        ([None, None, "dent"], "dent"),
        ([None, "dent", "scratch"], "unsure"),
        ([None, None], "skipped"),
    ],
    ids=str,
)
def test_people_who_disagree_are_outvoted_or_leave_the_row_unsure_in_any_order(
    labels: list[str | None], expected: str
) -> None:
    for order in itertools.islice(itertools.permutations(enumerate(labels)), 24):
        votes = [
            make_annotation(label, by=person) if label else make_annotation(by=person, skipped=True)
            for person, label in order
        ]
        assert outcome(*votes) == expected


def test_a_row_that_was_imported_twice_is_one_row() -> None:
    answers = read(
        make_task("a.png", make_annotation("dent", by=1), number=1),
        make_task("a.png", make_annotation("scratch", by=2), number=2),
        make_task("b.png", make_annotation("dent", by=1, at=MORNING), number=3),
        make_task("b.png", make_annotation("scratch", by=1, at=NOON), number=4),
        make_task("c.png", make_annotation("dent"), number=5),
        make_task("c.png", number=6),
    )

    assert outcomes(answers) == {"a.png": "unsure", "b.png": "scratch", "c.png": "dent"}


def test_a_comment_beside_the_choice_is_no_label() -> None:
    comment = {"from_name": "comment", "to_name": "image", "type": "textarea", "value": {"text": ["blurred"]}}
    relation = {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"}

    assert outcome(make_annotation(result=[comment, make_result("dent"), relation])) == "dent"


@pytest.mark.parametrize(
    ("annotation", "problem"),
    [
        (make_annotation(result=[]), r"no choice in its 0 results\. Choose a label .*, or skip the task"),
        (make_annotation(result=[make_result()]), r"no choice in its 1 results"),
        (make_annotation(" "), r"no choice in its 1 results"),
        (
            make_annotation(result=[{"type": "rectanglelabels", "value": {"x": 1.5, "rectanglelabels": ["dent"]}}]),
            r"no choice in its 1 results",
        ),
        (make_annotation("dent", "scratch"), r"2 choices in one result, \('dent', 'scratch'\).*choice=\"single\""),
        (
            make_annotation(result=[make_result("dent"), make_result("bad", control="quality")]),
            r"2 results with choices, \[\('dent',\), \('bad',\)\].*one <Choices> control",
        ),
    ],
    ids=["nothing", "an empty choice", "a blank choice", "boxes", "several choices", "several controls"],
)
def test_an_annotation_that_is_not_one_choice_is_refused_by_its_task(annotation: Json, problem: str) -> None:
    good = make_annotation("dent", by=2)

    assert re.match(f"{FIRST_TASK}, annotation 2: {problem}", complaint(make_task("a.png", good, annotation)))


def without(given: Json, *path: str) -> Json:
    """A copy that lacks one field."""
    copied: Json = json.loads(json.dumps(given))
    inner = copied
    for name in path[:-1]:
        inner = inner[name]  # type: ignore[assignment]
    del inner[path[-1]]
    return copied


def make_ninth(annotation: Json) -> Json:
    return make_task("b.png", annotation, number=9)


TASK = make_ninth(make_annotation("dent"))
JSON_MIN = {"image": "s3://plant/a.png", "afray_id": "a.png", "id": 9, "label": "dent", "annotator": 1}


@pytest.mark.parametrize(
    ("task", "problem"),
    [
        (without(TASK, "data", "afray_id"), r"data\.afray_id: field required\. Import tasks that carry the id"),
        (make_task("", number=9), r"data\.afray_id: .*at least 1 character \(value: ''\)\. Import tasks"),
        (make_task(None, number=9), r"data\.afray_id: .*valid string \(value: None\)\. Import tasks"),
        (make_task(True, number=9), r"data\.afray_id: .*valid string \(value: True\)\. Import tasks"),
        (JSON_MIN, r"data: field required\. .*not JSON-MIN"),
        (without(TASK, "annotations"), r"annotations: field required\. Export the whole project again, .*JSON"),
        (make_ninth(make_annotation("dent", at="noon")), r"annotations\.0\.created_at: .*'noon'"),
        (make_ninth(without(make_annotation("dent"), "completed_by")), r"annotations\.0\.completed_by: field required"),
        (make_ninth(make_annotation(result={"a": "b" * 100})), r"annotations\.0\.result: .{,150}…\)"),
    ],
    ids=["no id", "empty id", "null", "yes", "JSON-MIN", "no annotations", "no time", "nobody", "no results"],
)  # fmt: skip
def test_what_is_no_task_with_an_id_is_refused_by_number_and_id(task: Json, problem: str) -> None:
    found = complaint(make_task("a.png", make_annotation("dent")), task)

    assert re.match(rf"s3://plant/export\.json, task 2 \(id 9\): {problem}", found), found


def test_a_task_without_any_id_is_named_by_its_number() -> None:
    assert "task 1: data.afray_id" in complaint(without(without(TASK, "data", "afray_id"), "id"))
    assert "task 1: the task: " in complaint("b.png")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not a list of tasks in JSON"),
        (b'[{"id": 1,', "not a list of tasks in JSON .*line 1 column"),
        (b'{"id": 1, "data": {"afray_id": "a"}, "annotations": []}', "not a list of tasks in JSON"),
        (b"id,label\na,b\n", "not a list of tasks in JSON"),
        ('[{"id": "ü"}]'.encode("latin-1"), "not a list of tasks in JSON"),
        (b"[" * 100_000, "not a list of tasks in JSON"),
    ],
    ids=["empty", "cut off", "one task", "CSV", "latin-1", "deep"],
)
def test_what_is_no_export_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(PoolError, match=rf"export\.json: {problem}.* Export the whole project again"):
        label_studio.read(PLACE, content, refusing(PLACE))


def test_whoever_listens_hears_of_every_faulty_task_and_gets_the_answers_of_the_others() -> None:
    faults: list[Finding] = []
    tasks = (
        make_task("a.png", make_annotation("dent"), number=7),
        without(TASK, "data", "afray_id"),
        make_task("b.png", make_annotation("dent", "scratch"), make_annotation("dent", by=2), number=8),
        make_task("c.png", make_annotation(result=[]), number=10),
    )

    answers = label_studio.read(PLACE, export(*tasks), faults.append)

    assert answers.labels == {"a.png": "dent", "b.png": "dent"}
    assert [(fault.where, list(fault.rows)) for fault in faults] == [
        ("task 2 (id 9)", []),
        ("task 3 (id 8), annotation 1", ["b.png"]),
        ("task 4 (id 10), annotation 1", ["c.png"]),
    ]
    assert all(fault.remedy for fault in faults)


def test_what_people_disagree_about_is_told_whatever_comes_of_it() -> None:
    answers = read(
        make_task("a.png", make_annotation("dent"), make_annotation("dent", by=2), make_annotation("burr", by=3)),
        make_task("b.png", make_annotation("dent"), make_annotation("burr", by=2)),
        make_task("c.png", make_annotation("dent"), make_annotation(by=2, skipped=True)),
    )

    assert outcomes(answers) == {"a.png": "dent", "b.png": "unsure", "c.png": "dent"}
    assert answers.disputed == {"a.png": "1 'burr', 2 'dent'", "b.png": "1 'burr', 1 'dent'"}


def test_a_byte_order_mark_does_no_harm() -> None:
    content = b"\xef\xbb\xbf" + export_labels([("a.png", "dent")])

    assert label_studio.read(PLACE, content, refusing(PLACE)).labels == {"a.png": "dent"}


def test_answers_are_read_and_counted_where_the_spec_names_an_export(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disagreed = [make_annotation("dent", by=1), make_annotation("scratch", by=2)]
    content = export(
        make_task("a.png", make_annotation("dent")),
        make_task("b.png", *disagreed),
        make_task("c.png", make_annotation(skipped=True)),
        make_task("d.png"),
    )
    (tmp_path / "export.json").write_bytes(content)

    with caplog.at_level(logging.INFO, logger="afray"):
        answers = read_answers(Export(str(tmp_path / "export.json")))

    assert outcomes(answers) == {"a.png": "dent", "b.png": "unsure", "c.png": "skipped"}
    assert answers.ids == ("a.png", "b.png", "c.png")
    assert "export.json: listed=4 labelled=1 skipped=1 unsure=1" in caplog.text
    assert "no label for 'b.png'" in caplog.text


def test_an_export_without_a_single_label_is_refused(tmp_path: Path) -> None:
    (tmp_path / "export.json").write_bytes(export(make_task("a.png", make_annotation(skipped=True))))

    with pytest.raises(PoolError, match=r"export\.json: no labels in it \(1 rows are skipped or unsure\)"):
        read_answers(Export(str(tmp_path / "export.json")))


def test_another_export_than_the_spec_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "export.json").write_bytes(export_labels([("a.png", "dent")]))

    with pytest.raises(IntegrityError, match="its sha256 is"):
        read_answers(Export(str(tmp_path / "export.json")), sha256="0" * 64)


def test_the_recipe_in_the_docs_gives_images_of_a_disk_the_address_that_label_studio_serves(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "handover.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    ids = ["line-1/ü 7.png", "b.png"]
    tasks = [{"data": {"image": f"/data/welds/{row_id}", "afray_id": row_id}} for row_id in ids]
    (tmp_path / "tasks-00001.json").write_text(json.dumps(tasks), encoding="utf-8")
    subprocess.run([sys.executable, "-c", textwrap.dedent(recipe)], cwd=tmp_path, check=True)

    made = json.loads((tmp_path / "to-import.json").read_bytes())

    assert [task["data"]["image"] for task in made] == [
        "/data/local-files/?d=welds/line-1/%C3%BC%207.png",
        "/data/local-files/?d=welds/b.png",
    ]
    exported = export_imported(made, lambda _: [make_annotation("scratch")])
    assert list(label_studio.read(PLACE, exported, refusing(PLACE)).labels) == ids
