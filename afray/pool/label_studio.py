"""Labels in a project that Label Studio exported as JSON: a list of tasks, each with what people said about it.

A row is known by `data.afray_id`, which the task carried there and back; the numbers that Label Studio gives its tasks
mean nothing. Predictions and drafts are nobody's answer, and are not read.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, from_json

from afray.errors import PoolError
from afray.pool.answers import Answers, Vote, gather, settle

_EXPORT_AGAIN = "Export the whole project again, in the format JSON"
_CARRY_THE_ID = (
    "Import tasks that carry the id of their row in data.afray_id, and export them in the format JSON, not JSON-MIN"
)
_SHOWN = 60


def _as_text(value: object) -> object:
    """Whole numbers become text; a person, who may be exported with name and address, their number."""
    if isinstance(value, dict):
        value = value.get("id")
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class _Exported(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Value(_Exported):
    choices: tuple[str, ...] | None = None
    """None: the value of another control, such as a comment."""


class _Result(_Exported):
    value: _Value | None = None
    """None: a relation."""


class _Annotation(_Exported):
    """What one person said."""

    completed_by: Annotated[str | None, BeforeValidator(_as_text)]
    created_at: Annotated[datetime, AfterValidator(_in_utc)]
    was_cancelled: bool = False
    result: tuple[_Result, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _forget_what_was_skipped(cls, exported: object) -> object:
        """Whatever a person began before they skipped the task; it can be of any shape."""
        if isinstance(exported, dict) and exported.get("was_cancelled") is True:
            return exported | {"result": ()}
        return exported


class _Fields(_Exported):
    afray_id: Annotated[str, Field(min_length=1), BeforeValidator(_as_text)]


class _Task(_Exported):
    id: Annotated[str | None, BeforeValidator(_as_text)] = None
    """Label Studio's; for messages only."""
    data: _Fields
    annotations: tuple[_Annotation, ...]


_TASKS = TypeAdapter(Annotated[list[_Task], FailFast()])


def read(place: str, content: bytes) -> Answers:
    """The answer to every task that somebody has finished or skipped; tasks of one row count together.

    Raises PoolError, naming the task, for what is no such export, and for an annotation that is not one choice.
    """
    votes: dict[str, list[Vote]] = {}
    tasks = _parse(place, content)
    for number, task in enumerate(tasks, start=1):
        where = f"{place}, {_name(number, task.id)}"
        cast = [_vote(f"{where}, annotation {at}", given) for at, given in enumerate(task.annotations, start=1)]
        votes.setdefault(task.data.afray_id, []).extend(cast)
    return gather({row_id: settle(cast) for row_id, cast in votes.items() if cast}, listed=len(tasks))


def _vote(where: str, annotation: _Annotation) -> Vote:
    label = None if annotation.was_cancelled else _choice(where, annotation.result)
    return Vote(label=label, annotator=annotation.completed_by, given=annotation.created_at)


def _choice(where: str, results: Sequence[_Result]) -> str:
    chosen = [result.value.choices for result in results if result.value and result.value.choices is not None]
    if len(chosen) > 1:
        raise PoolError(
            f"{where}: {len(chosen)} results with choices, {_show(chosen)}, and a row has one label. "
            "Leave one <Choices> control in the labelling interface, correct the task, and export again"
        )
    choices = chosen[0] if chosen else ()
    if len(choices) > 1:
        raise PoolError(
            f"{where}: {len(choices)} choices in one result, {_show(choices)}, and a row has one label. "
            'Set choice="single" in the labelling interface, correct the task, and export again'
        )
    if not "".join(choices).strip():
        raise PoolError(
            f"{where}: no choice in its {len(results)} results. "
            "Choose a label with a <Choices> control, or skip the task, and export again"
        )
    return choices[0]


def _parse(place: str, content: bytes) -> list[_Task]:
    exported = content.removeprefix(codecs.BOM_UTF8)
    try:
        return _TASKS.validate_json(exported)
    except ValidationError as invalid:
        raise _unusable(place, exported, invalid.errors(include_url=False)[0]) from invalid


def _unusable(place: str, exported: bytes, error: ErrorDetails) -> PoolError:
    """The error about the first thing that is no task as Label Studio exports them."""
    number, *path = error["loc"] or (None,)
    problem = error["msg"][0].lower() + error["msg"][1:]
    if not isinstance(number, int):
        return PoolError(f"{place}: not a list of tasks in JSON ({problem}). {_EXPORT_AGAIN}")
    task = from_json(exported)[number]
    where = _name(number + 1, task.get("id") if isinstance(task, dict) else None)
    field = ".".join(map(str, path)) or "the task"
    found = "" if error["type"] == "missing" else f" (value: {_show(error['input'])})"
    remedy = _CARRY_THE_ID if path[:1] == ["data"] else _EXPORT_AGAIN
    return PoolError(f"{place}, {where}: {field}: {problem}{found}. {remedy}")


def _name(number: int, task_id: object) -> str:
    return f"task {number}" if task_id is None else f"task {number} (id {task_id})"


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
