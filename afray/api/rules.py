"""The two rule sets: what `afray run` asks of a manifest, and what a cluster asks. Field rules are in the models.

Both hold the same checks of sense; a cluster also needs image and pods, and locations that mean the same in every pod;
`afray run` needs the labels that a job on a cluster would wait for.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from afray.api.checks import Check, changed_fields, places, pods, selection, templates
from afray.api.job import SelectionJob
from afray.api.problems import Problem


class Target(StrEnum):
    """Where a job is to run."""

    run = "run"
    cluster = "cluster"


COMMON: Final[tuple[Check, ...]] = (
    selection.model_is_missing,
    selection.model_settings_on_embeddings,
    selection.steps_of_another_method,
    selection.cores_exceed_the_budget,
    selection.given_cores_without_a_file,
    selection.core_settings_of_another_method,
    selection.uherding_without_a_round_before,
    selection.uherding_settings_of_another_method,
    selection.approximate_released_mode,
    selection.finetune_of_embeddings,
    selection.evaluation_of_another_kind,
    places.output_inside_the_rows,
    places.evaluation_overlaps_the_pool,
    places.labels_read_as_rows,
    places.output_of_the_round_before,
    pods.resources_are_missing,
    pods.memory_without_a_unit,
    pods.part_of_a_device,
    pods.reserved_group_name,
    pods.group_named_twice,
    pods.finetune_group_is_unknown,
    pods.device_that_no_worker_has,
    pods.variable_set_twice,
    pods.reserved_variable,
    pods.secret_in_clear,
    templates.head_under_another_account,
    templates.secret_in_a_template,
)
RUN_ONLY: Final[tuple[Check, ...]] = (selection.round_without_labels,)
CLUSTER_ONLY: Final[tuple[Check, ...]] = (
    pods.block_is_missing,
    pods.spec_is_too_large,
    places.path_instead_of_a_uri,
)
RULES: Final = {Target.run: COMMON + RUN_ONLY, Target.cluster: COMMON + CLUSTER_ONLY}


def default_target(job: SelectionJob) -> Target:
    """A manifest that says what runs in pods is meant for a cluster."""
    return Target.run if job.spec.runtime is None else Target.cluster


def violations(job: SelectionJob, target: Target) -> tuple[Problem, ...]:
    """Every broken rule of the target's set."""
    return tuple(problem for check in RULES[target] for problem in check(job))


def unused_by_run(job: SelectionJob) -> tuple[str, ...]:
    """The fields that say something to a cluster only, for the line in which `afray run` says that it ignores them."""
    meant = frozenset(type(job.spec).model_fields) - {"suspend", "runtime", "cluster", "policy"}
    return tuple(f"spec.{field}" for field, _ in changed_fields(job.spec, unless=meant))
