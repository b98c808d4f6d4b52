"""Settings of pool, embedding and selection that contradict each other, or would silently do nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from afray.api.checks import changed_fields, violation
from afray.api.embedding import PACKAGED_MODELS
from afray.api.job import SelectionJob
from afray.api.problems import Problem
from afray.api.selection import CoreMethod, Method

KEPT_ON_EMBEDDINGS: Final = frozenset({"normalize", "shard_size", "device"})
"""Fields of spec.embedding that mean something where the pool holds vectors already."""
_ACTIVEFT_SETTINGS: Final = frozenset({"steps", "rows_per_step"})
CORE_SETTINGS: Final[Mapping[CoreMethod, frozenset[str]]] = {
    "activeft": _ACTIVEFT_SETTINGS | {"method", "size", "probes"},
    "kmeans": frozenset({"method", "size", "probes"}),
    "given": frozenset({"method", "uri", "probes"}),
}
"""Fields of spec.selection.core that each core method reads."""
LEFT_TO_OTHER_METHODS: Final[Mapping[Method, frozenset[str]]] = {
    "activeft": _ACTIVEFT_SETTINGS,
    "kmeans": frozenset(),
    "kcenter": frozenset(),
    "typiclust": frozenset(),
    "random": frozenset(),
    "uherding": frozenset(),
}
"""Fields of spec.selection.core that the methods without steps read; of denoise and boundary they read none."""


def model_is_missing(job: SelectionJob) -> Iterator[Problem]:
    """Images need a model to become vectors; a pool of embeddings has them already."""
    if job.spec.pool.format != "embeddings" and job.spec.embedding.model is None:
        remedy = f"Add model: timm/<name>, or {PACKAGED_MODELS[0]}."
        yield violation("embedding.model", None, f"is required by pool.format {job.spec.pool.format}", remedy)


def model_settings_on_embeddings(job: SelectionJob) -> Iterator[Problem]:
    """No model sees a pool of embeddings, so these settings would say something untrue about its vectors."""
    if job.spec.pool.format != "embeddings":
        return
    blocks = (
        ("embedding", job.spec.embedding, KEPT_ON_EMBEDDINGS),
        ("pool.decode", job.spec.pool.decode, frozenset[str]()),
    )
    for path, block, meant in blocks:
        for field, value in changed_fields(block, unless=meant):
            yield violation(f"{path}.{field}", value, "has no effect on pool.format embeddings", "Remove it.")


def cores_exceed_the_budget(job: SelectionJob) -> Iterator[Problem]:
    """Core rows are labelled too: they are part of the budget."""
    size, count = job.spec.selection.core.size, job.spec.selection.budget.count
    if job.spec.selection.method == "bilaf" and size != "auto" and count is not None and size > count:
        remedy = f"Lower it to at most {count}, or raise budget.count: cores are part of the budget."
        yield violation("selection.core.size", size, f"is larger than the budget of {count} rows", remedy)


def given_cores_without_a_file(job: SelectionJob) -> Iterator[Problem]:
    """Method given reads its cores from core.uri."""
    core = job.spec.selection.core
    if core.method == "given" and core.uri is None:
        remedy = "Add the address of a text file, one id a line."
        yield violation("selection.core.uri", None, "is required by core.method given", remedy)


def core_settings_of_another_method(job: SelectionJob) -> Iterator[Problem]:
    """steps and rowsPerStep are ActiveFT's; a file of cores is given's, and says itself how many they are."""
    if job.spec.selection.method != "bilaf":
        return
    core = job.spec.selection.core
    for field, value in changed_fields(core, unless=CORE_SETTINGS[core.method]):
        problem = f"has no effect on core.method {core.method}"
        yield violation(f"selection.core.{field}", value, problem, "Remove it, or change core.method.")


def approximate_released_mode(job: SelectionJob) -> Iterator[Problem]:
    """Released mode is there for comparison with published lists, which an approximation would only spoil."""
    core, boundary = job.spec.selection.core, job.spec.selection.boundary
    if boundary.mode != "released":
        return
    remedy = "Remove it, or set boundary.mode: paper."
    for field, value in (("core.probes", core.probes), ("boundary.intraDistance", boundary.intra_distance)):
        if value is not None:
            yield violation(f"selection.{field}", value, "is approximate, and boundary.mode released is not", remedy)


def steps_of_another_method(job: SelectionJob) -> Iterator[Problem]:
    """Only bilaf has cores, outliers and a boundary; the other methods spend the whole budget in one step."""
    selection = job.spec.selection
    if selection.method == "bilaf":
        return
    blocks = (
        ("core", selection.core, LEFT_TO_OTHER_METHODS[selection.method]),
        ("denoise", selection.denoise, frozenset[str]()),
        ("boundary", selection.boundary, frozenset[str]()),
    )
    for path, block, meant in blocks:
        for field, value in changed_fields(block, unless=meant):
            problem = f"has no effect on selection.method {selection.method}"
            yield violation(f"selection.{path}.{field}", value, problem, "Remove it, or set method: bilaf.")


def uherding_without_a_round_before(job: SelectionJob) -> Iterator[Problem]:
    """uherding asks what labels leave uncertain: without any it has nothing to go by."""
    if job.spec.selection.method == "uherding" and job.spec.previous is None:
        remedy = "Add spec.previous (`afray next` writes it), or start with method: kmeans."
        yield violation("selection.method", "uherding", "needs the labels of a round before it", remedy)


def round_without_labels(job: SelectionJob) -> Iterator[Problem]:
    """A job on a cluster waits for the labels of the round before; a run that waits for days is none."""
    if job.spec.previous is not None and job.spec.previous.labels is None:
        remedy = "Name the answers to the rows of the round before (`afray next` writes the block)."
        yield violation("previous.labels", None, "is missing, and `afray run` waits for nobody", remedy)


def uherding_settings_of_another_method(job: SelectionJob) -> Iterator[Problem]:
    """Settings that no step reads would say something untrue about the selection."""
    method, settings = job.spec.selection.method, job.spec.selection.uherding
    if method != "uherding" and settings is not None:
        remedy = "Remove it, or set method: uherding."
        yield violation("selection.uherding", "uherding", f"has no effect on selection.method {method}", remedy)


def finetune_of_embeddings(job: SelectionJob) -> Iterator[Problem]:
    """A finetune trains the model on images, and a pool of embeddings holds none."""
    if job.spec.finetune is not None and job.spec.pool.format == "embeddings":
        remedy = "Remove it (with evaluation, a linear probe is still reported), or use a pool of images."
        yield violation("finetune", "finetune", "needs images, and pool.format is embeddings", remedy)


def evaluation_of_another_kind(job: SelectionJob) -> Iterator[Problem]:
    """Pool and held-out rows must reach the probe as vectors of the same model."""
    evaluation, pool = job.spec.evaluation, job.spec.pool
    if evaluation is not None and (evaluation.format == "embeddings") != (pool.format == "embeddings"):
        remedy = "Give both as images (in any of the three forms), or both as embeddings of the same model."
        yield violation("evaluation.format", evaluation.format, f"does not go with pool.format {pool.format}", remedy)
