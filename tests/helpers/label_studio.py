"""Exports of Label Studio (format JSON), in the shape that its server writes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

Json = dict[str, object]
MORNING = "2026-11-24T09:00:00.513742Z"
NOON = "2026-11-24T12:00:00.513742Z"


def make_result(*choices: str, control: str = "label") -> Json:
    """What a <Choices> control holds."""
    return {
        "id": "Dx_aB91ISN",
        "from_name": control,
        "to_name": "image",
        "type": "choices",
        "origin": "manual",
        "value": {"choices": list(choices)},
    }


def make_annotation(
    *choices: str,
    by: object = 1,
    at: object = MORNING,
    skipped: bool = False,
    result: object = None,
) -> Json:
    """What one person said: one result with the choices, unless `result` says otherwise."""
    return {
        "id": 1001,
        "completed_by": by,
        "result": [make_result(*choices)] if result is None else result,
        "was_cancelled": skipped,
        "ground_truth": False,
        "created_at": at,
        "updated_at": "2026-11-25T09:00:00.513742Z",
        "lead_time": 4.3,
        "task": 1,
        "project": 83,
        "parent_prediction": None,
    }


def make_task(row_id: object, *annotations: Json, number: int = 1, predicted: str = "predicted") -> Json:
    """A task with a prediction and a draft, which are nobody's answer."""
    return {
        "id": number,
        "data": {"image": f"s3://plant/welds/{row_id}", "afray_id": row_id},
        "annotations": list(annotations),
        "drafts": [{"result": [make_result("draft")], "was_postponed": False}],
        "predictions": [{"model_version": "m", "score": 0.4, "result": [make_result(predicted)]}],
        "meta": {},
        "created_at": MORNING,
        "cancelled_annotations": 0,
        "total_annotations": len(annotations),
        "project": 83,
    }


def export(*tasks: object) -> bytes:
    """The file."""
    return json.dumps(tasks, ensure_ascii=False).encode()


def export_labels(labels: Sequence[tuple[str, str]]) -> bytes:
    """The file of one person who labelled every row."""
    return export(
        *(make_task(row_id, make_annotation(label), number=number) for number, (row_id, label) in enumerate(labels, 1))
    )


def export_imported(tasks: Sequence[Json], say: Callable[[str], list[Json]]) -> bytes:
    """What a project exports into which tasks were imported, each with what people said about its row.

    The server numbers tasks and keeps their `data`; tasks that nobody has finished are left out.
    """
    exported = [_exported(number, task, say) for number, task in enumerate(tasks, start=4001)]
    return json.dumps([task for task in exported if task["annotations"]], ensure_ascii=False).encode()


def _exported(number: int, task: Json, say: Callable[[str], list[Json]]) -> Json:
    data = task["data"]
    assert isinstance(data, dict)
    annotations = say(data["afray_id"])
    return {
        "id": number,
        "annotations": annotations,
        "file_upload": "1f0c2b1a-tasks-00001.json",
        "drafts": [],
        "predictions": [],
        "data": data,
        "meta": {},
        "created_at": MORNING,
        "updated_at": NOON,
        "allow_skip": True,
        "inner_id": number - 4000,
        "total_annotations": sum(not one["was_cancelled"] for one in annotations),
        "cancelled_annotations": sum(bool(one["was_cancelled"]) for one in annotations),
        "total_predictions": 0,
        "comment_count": 0,
        "unresolved_comment_count": 0,
        "last_comment_updated_at": None,
        "project": 83,
        "updated_by": 1,
        "comment_authors": [],
    }
