"""What may change in a job that exists, and the name it may have.

Templates are not compared: an API server keeps them without looking inside, and the operator ignores a changed one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from afray.api.block import alias
from afray.api.cel import Rule, matches
from afray.api.conditions import ConditionStatus, ConditionType
from afray.api.crd.rules.placed import Placed
from afray.api.job import MUTABLE, JobSpec, SelectionJob
from afray.api.texts import JOB_NAME


def _same(path: str, optional: bool) -> str:
    """The expression that what `path` names is what it was."""
    equal = f"self.{path} == oldSelf.{path}"
    return f"has(self.{path}) == has(oldSelf.{path}) && (!has(self.{path}) || {equal})" if optional else equal


def _frozen_fields() -> Iterator[Placed]:
    for name, info in JobSpec.model_fields.items():
        if name not in MUTABLE:
            optional = not info.is_required() and info.default is None and name not in ("runtime", "cluster")
            rule = Rule(
                rule=_same(alias(name), optional),
                field=f".{alias(name)}",
                cause="FieldValueForbidden",
                problem="can not be changed in a job that exists",
                remedy=(
                    "Delete the job and apply the new one: stored results stay, and work is taken up where pool, "
                    "embedding and selection are the same."
                ),
            )
            yield Placed(block=JobSpec, rule=rule)


FROZEN_LABELS: Final = Rule(
    rule=(
        "!(has(oldSelf.status) && has(oldSelf.status.conditions) && oldSelf.status.conditions.exists(c, "
        f"c.type == '{ConditionType.labels_ready}' && c.status == '{ConditionStatus.true}'))"
        f" || ({_same('spec.labels', optional=True)})"
    ),
    field=".spec.labels",
    cause="FieldValueForbidden",
    problem="can not be changed once labels are accepted",
    remedy="Apply a new job with the new labels.",
)
NAME: Final = Rule(
    rule=f"self.metadata.name.size() <= {JOB_NAME.longest} && {matches(JOB_NAME.pattern, 'self.metadata.name')}",
    field=".metadata.name",
    problem=JOB_NAME.problem,
    remedy=JOB_NAME.remedy,
)
RULES: Final = (
    Placed(block=SelectionJob, rule=NAME),
    Placed(block=SelectionJob, rule=FROZEN_LABELS),
    *_frozen_fields(),
)
