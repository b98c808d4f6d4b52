"""Settings of pool, embedding and selection that contradict each other, or would silently do nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from afray.api.block import Block, alias
from afray.api.cel import Rule, quote
from afray.api.checks import Check, selection
from afray.api.crd.rules.placed import Placed, unchanged
from afray.api.embedding import PACKAGED_MODELS, EmbeddingSpec
from afray.api.job import JobSpec
from afray.api.pool import DecodeSpec
from afray.api.selection import BoundarySpec, CoreSpec, DenoiseSpec, SelectionSpec


def _in_spec(rule: Rule) -> Placed:
    return Placed(block=JobSpec, rule=rule)


def _in_selection(rule: Rule) -> Placed:
    return Placed(block=SelectionSpec, rule=rule)


MODEL_IS_MISSING = _in_spec(
    Rule(
        rule="self.pool.format == 'embeddings' || has(self.embedding.model)",
        field=".embedding.model",
        cause="FieldValueRequired",
        problem="is required by a pool of images",
        remedy=f"Add model: timm/<name>, or {PACKAGED_MODELS[0]}.",
        says=(
            "'is required by pool.format ' + self.pool.format + "
            + quote(f". Add model: timm/<name>, or {PACKAGED_MODELS[0]}.")
        ),
    )
)
CORES_EXCEED_THE_BUDGET = _in_selection(
    Rule(
        rule=(
            "self.method != 'bilaf' || !has(self.budget.count) || type(self.core.size) != int"
            " || int(self.core.size) <= self.budget.count"
        ),
        field=".core.size",
        problem="is larger than the budget",
        remedy="Lower it to at most budget.count, or raise budget.count: cores are part of the budget.",
    )
)
GIVEN_CORES_WITHOUT_A_FILE = _in_selection(
    Rule(
        rule="self.core.method != 'given' || has(self.core.uri)",
        field=".core.uri",
        cause="FieldValueRequired",
        problem="is required by core.method given",
        remedy="Add the address of a text file, one id a line.",
    )
)
UHERDING_ALONE = _in_spec(
    Rule(
        rule="self.selection.method != 'uherding' || has(self.previous)",
        field=".selection.method",
        problem="needs the labels of a round before it",
        remedy="Add spec.previous (`afray next` writes it), or start with method: kmeans.",
    )
)
UHERDING_SETTINGS = _in_selection(
    Rule(
        rule="self.method == 'uherding' || !has(self.uherding)",
        field=".uherding",
        cause="FieldValueForbidden",
        problem="has no effect on this selection.method",
        remedy="Remove it, or set method: uherding.",
        says="'has no effect on selection.method ' + self.method + '. Remove it, or set method: uherding.'",
    )
)
FINETUNE_OF_EMBEDDINGS = _in_spec(
    Rule(
        rule="self.pool.format != 'embeddings' || !has(self.finetune)",
        field=".finetune",
        cause="FieldValueForbidden",
        problem="needs images, and pool.format is embeddings",
        remedy="Remove it (with evaluation, a linear probe is still reported), or use a pool of images.",
    )
)
EVALUATION_OF_ANOTHER_KIND = _in_spec(
    Rule(
        rule="!has(self.evaluation) || (self.evaluation.format == 'embeddings') == (self.pool.format == 'embeddings')",
        field=".evaluation.format",
        problem="does not go with pool.format",
        remedy="Give both as images (in any of the three forms), or both as embeddings of the same model.",
        says=(
            "'does not go with pool.format ' + self.pool.format + '. Give both as images (in any of the three forms),"
            " or both as embeddings of the same model.'"
        ),
    )
)


def _settings_on_embeddings(path: str, block: type[Block], kept: frozenset[str] = frozenset()) -> Iterator[Placed]:
    for field in block.model_fields:
        if field not in kept:
            yield _in_spec(
                Rule(
                    rule=f"self.pool.format != 'embeddings' || {unchanged(f'self.{path}', block, field)}",
                    field=f".{path}.{alias(field)}",
                    cause="FieldValueForbidden",
                    problem="has no effect on pool.format embeddings",
                    remedy="Remove it.",
                )
            )


def _settings_of_another_core_method() -> Iterator[Placed]:
    for field in CoreSpec.model_fields:
        readers = [method for method, settings in selection.CORE_SETTINGS.items() if field in settings]
        if len(readers) < len(selection.CORE_SETTINGS):
            condition = f"self.method != 'bilaf' || self.core.method in {quote(readers)}"
            remedy = "Remove it, or change core.method."
            yield _without_effect("core", CoreSpec, field, condition, "core.method", remedy)


def _steps_of_another_method(path: str, block: type[Block]) -> Iterator[Placed]:
    for field in block.model_fields:
        others = selection.LEFT_TO_OTHER_METHODS.items() if block is CoreSpec else ()
        readers = ["bilaf", *(method for method, kept in others if field in kept)]
        condition = f"self.method in {quote(readers)}"
        yield _without_effect(path, block, field, condition, "method", "Remove it, or set method: bilaf.")


def _without_effect(path: str, block: type[Block], field: str, unless: str, method: str, remedy: str) -> Placed:
    """The rule that a field keeps its default unless the method reads it; `method` is its path below selection."""
    said = "core.method" if method == "core.method" else "selection.method"
    return _in_selection(
        Rule(
            rule=f"{unless} || {unchanged(f'self.{path}', block, field)}",
            field=f".{path}.{alias(field)}",
            cause="FieldValueForbidden",
            problem=f"has no effect on this {said}",
            remedy=remedy,
            says=f"'has no effect on {said} ' + self.{method} + {quote(f'. {remedy}')}",
        )
    )


def _approximations_of_released_mode() -> Iterator[Placed]:
    for field in ("core.probes", "boundary.intraDistance"):
        yield _in_selection(
            Rule(
                rule=f"self.boundary.mode != 'released' || !has(self.{field})",
                field=f".{field}",
                cause="FieldValueForbidden",
                problem="is approximate, and boundary.mode released is not",
                remedy="Remove it, or set boundary.mode: paper.",
            )
        )


RULES: Final[Mapping[Check, tuple[Placed, ...]]] = {
    selection.model_is_missing: (MODEL_IS_MISSING,),
    selection.model_settings_on_embeddings: (
        *_settings_on_embeddings("embedding", EmbeddingSpec, selection.KEPT_ON_EMBEDDINGS),
        *_settings_on_embeddings("pool.decode", DecodeSpec),
    ),
    selection.steps_of_another_method: (
        *_steps_of_another_method("core", CoreSpec),
        *_steps_of_another_method("denoise", DenoiseSpec),
        *_steps_of_another_method("boundary", BoundarySpec),
    ),
    selection.cores_exceed_the_budget: (CORES_EXCEED_THE_BUDGET,),
    selection.given_cores_without_a_file: (GIVEN_CORES_WITHOUT_A_FILE,),
    selection.core_settings_of_another_method: tuple(_settings_of_another_core_method()),
    selection.uherding_without_a_round_before: (UHERDING_ALONE,),
    selection.uherding_settings_of_another_method: (UHERDING_SETTINGS,),
    selection.approximate_released_mode: tuple(_approximations_of_released_mode()),
    selection.finetune_of_embeddings: (FINETUNE_OF_EMBEDDINGS,),
    selection.evaluation_of_another_kind: (EVALUATION_OF_ANOTHER_KIND,),
}
