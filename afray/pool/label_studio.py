"""Labels in a project that Label Studio exported as JSON: a list of tasks, each with what people said about it.

A row is known by `data.afray_id`, which the task carried there and back; the numbers that Label Studio gives its tasks
mean nothing. Predictions and drafts are nobody's answer, and are not read.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
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
from afray.pool.findings import Complain, Finding

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


_TASK = TypeAdapter(_Task)
_TASKS = TypeAdapter(Annotated[list[_Task], FailFast()])


def read(place: str, content: bytes, complain: Complain) -> Answers:
    """The answer to every task that somebody has finished or skipped; tasks of one row count together.

    Complains, naming the task, of what is no task with an id, and of an annotation that is not one choice. Raises
    PoolError for what is no list of tasks.
    """
    votes: dict[str, list[Vote]] = {}
    listed = 0
    for where, task in _parse(place, content, complain):
        listed += 1
        cast = votes.setdefault(task.data.afray_id, [])
        for number, annotation in enumerate(task.annotations, start=1):
            vote = _vote(f"{where}, annotation {number}", task.data.afray_id, annotation)
            if isinstance(vote, Finding):
                complain(vote)
            else:
                cast.append(vote)
    return gather({row_id: settle(cast) for row_id, cast in votes.items() if cast}, listed=listed)


def _vote(where: str, row_id: str, annotation: _Annotation) -> Vote | Finding:
    label = None if annotation.was_cancelled else _choice(where, row_id, annotation.result)
    if isinstance(label, Finding):
        return label
    return Vote(label=label, annotator=annotation.completed_by, given=annotation.created_at)


def _choice(where: str, row_id: str, results: Sequence[_Result]) -> str | Finding:
    chosen = [result.value.choices for result in results if result.value and result.value.choices is not None]
    choices = chosen[0] if chosen else ()
    if len(chosen) > 1:
        problem = f"{len(chosen)} results with choices, {_show(chosen)}, and a row has one label"
        remedy = "Leave one <Choices> control in the labelling interface, correct the task, and export again"
    elif len(choices) > 1:
        problem = f"{len(choices)} choices in one result, {_show(choices)}, and a row has one label"
        remedy = 'Set choice="single" in the labelling interface, correct the task, and export again'
    elif not "".join(choices).strip():
        problem = f"no choice in its {len(results)} results"
        remedy = "Choose a label with a <Choices> control, or skip the task, and export again"
    else:
        return choices[0]
    return Finding(where=where, rows={row_id: ""}, problem=problem, remedy=remedy)


def _parse(place: str, content: bytes, complain: Complain) -> Iterator[tuple[str, _Task]]:
    """Each task that is one, and its name."""
    exported = content.removeprefix(codecs.BOM_UTF8)
    try:
        tasks = _TASKS.validate_json(exported)
    except ValidationError as invalid:
        yield from _parse_one_by_one(place, exported, invalid.errors(include_url=False)[0], complain)
        return
    for number, task in enumerate(tasks, start=1):
        yield _name(number, task.id), task


def _parse_one_by_one(
    place: str, exported: bytes, first: ErrorDetails, complain: Complain
) -> Iterator[tuple[str, _Task]]:
    if not first["loc"]:
        raise PoolError(f"{place}: not a list of tasks in JSON ({_uncapitalize(first['msg'])}). {_EXPORT_AGAIN}")
    for number, exported_task in enumerate(from_json(exported), start=1):
        try:
            task = _TASK.validate_python(exported_task)
        except ValidationError as invalid:
            task_id = exported_task.get("id") if isinstance(exported_task, dict) else None
            complain(_unusable(_name(number, task_id), invalid.errors(include_url=False)[0]))
        else:
            yield _name(number, task.id), task


def _unusable(where: str, error: ErrorDetails) -> Finding:
    """The first thing for which this is no task as Label Studio exports them."""
    field = ".".join(map(str, error["loc"])) or "the task"
    found = "" if error["type"] == "missing" else f" (value: {_show(error['input'])})"
    remedy = _CARRY_THE_ID if error["loc"][:1] == ("data",) else _EXPORT_AGAIN
    return Finding(where=where, problem=f"{field}: {_uncapitalize(error['msg'])}{found}", remedy=remedy)


def _uncapitalize(text: str) -> str:
    return text[0].lower() + text[1:]


def _name(number: int, task_id: object) -> str:
    return f"task {number}" if task_id is None else f"task {number} (id {task_id})"


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
