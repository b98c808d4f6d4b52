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
        if name not in {path.partition(".")[0] for path in MUTABLE}:
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


def _frozen_once(accepted: ConditionType, path: str, given: str = "") -> Rule:
    """The rule that a label file stays what it is from the moment at which a condition holds."""
    return Rule(
        rule=(
            f"{given}!(has(oldSelf.status) && has(oldSelf.status.conditions) && oldSelf.status.conditions.exists(c, "
            f"c.type == '{accepted}' && c.status == '{ConditionStatus.true}'))"
            f" || ({_same(path, optional=True)})"
        ),
        field=f".{path}",
        cause="FieldValueForbidden",
        problem="can not be changed once labels are accepted",
        remedy="Apply a new job with the new labels.",
    )


FROZEN_LABELS: Final = (
    _frozen_once(ConditionType.labels_ready, "spec.labels"),
    _frozen_once(
        ConditionType.previous_labels_ready,
        "spec.previous.labels",
        given="!has(self.spec.previous) || !has(oldSelf.spec.previous) || ",
    ),
)
FROZEN_ROUND: Final = Rule(
    rule=(
        "has(self.previous) == has(oldSelf.previous)"
        " && (!has(self.previous) || self.previous.certificate == oldSelf.previous.certificate)"
    ),
    field=".previous.certificate",
    cause="FieldValueForbidden",
    problem="can not be changed in a job that exists",
    remedy="Delete the job and apply the new one: another round before means another selection.",
)
NAME: Final = Rule(
    rule=f"self.metadata.name.size() <= {JOB_NAME.longest} && {matches(JOB_NAME.pattern, 'self.metadata.name')}",
    field=".metadata.name",
    problem=JOB_NAME.problem,
    remedy=JOB_NAME.remedy,
)
RULES: Final = (
    Placed(block=SelectionJob, rule=NAME),
    *(Placed(block=SelectionJob, rule=rule) for rule in FROZEN_LABELS),
    Placed(block=JobSpec, rule=FROZEN_ROUND),
    *_frozen_fields(),
)
