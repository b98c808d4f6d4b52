"""One full finetune on the labelled selection: what to train on, what to test on, and where the result stays."""

from __future__ import annotations

from functools import partial
from typing import cast

from pydantic import JsonValue

from afray.api.pool import PoolSpec
from afray.contract.outputs import FINETUNE_FOLDER
from afray.driver.labelled import LabelledSet
from afray.driver.progress import Bar
from afray.driver.workspace import Workspace
from afray.evaluation.finetune import Basis, FinetuneResult, Report
from afray.evaluation.images import StoredImages
from afray.evaluation.pretrained import PretrainedEncoder
from afray.evaluation.training import Recipe
from afray.reporting.digests import content_digest
from afray.reporting.report import Finetune
from afray.runtime.crew import Task
from afray.runtime.embedding import require_gpu
from afray.runtime.slots import Slot
from afray.runtime.training import TrainingJob, TrainingWorkers
from afray.runtime.training import finetune as train
from afray.storage.canonical import canonical_json
from afray.storage.commits import Commit, commit, committed

MODEL = "model.pt"


def finetune(workspace: Workspace, selected: LabelledSet, heldout: LabelledSet | None) -> Finetune:
    """Metrics of the finetune that spec.finetune asks for; trained now, or found trained."""
    name = _name(workspace, selected, heldout)
    stored = committed(workspace.output, f"{FINETUNE_FOLDER}/{name}")
    with workspace.stages.stage("finetune", unit="epochs") as (bar, record):
        record.resumed = stored is not None
        if stored is None:
            job = TrainingJob(
                make_encoder=PretrainedEncoder(workspace.job.spec.embedding),
                selected=stored_images(selected),
                evaluation=stored_images(heldout) if heldout else None,
                recipe=_recipe(workspace),
            )
            if workspace.has_gpus:
                _require_gpu(workspace)
            workspace.release_crew()
            trained = train(
                name,
                job,
                output=workspace.output,
                workers=_workers(workspace),
                progress=partial(_show, workspace, bar),
            )
            stored = _store(workspace, name, trained.result, trained.state)
        epochs = _recipe(workspace).epochs
        bar.update(epochs, epochs)
    return Finetune.model_validate(dict(stored.facts))


def _show(workspace: Workspace, bar: Bar, report: Report) -> None:
    """Called about once a second: also the moment to see that a newer driver took over."""
    workspace.fence.check()
    bar.update(report.done, report.total)


def stored_images(labelled: LabelledSet) -> StoredImages:
    """The labelled rows as images that any process can read."""
    pool = labelled.pool
    return StoredImages(
        labels=labelled.labels,
        pool=pool.plan.pool,
        source=pool.source,
        addresses=pool.addresses(pool.rows.pool_ids(labelled.rows)),
        rules=pool.plan.rules,
        field="spec.pool.uri" if isinstance(pool.plan.pool, PoolSpec) else "spec.evaluation.uri",
    )


def _name(workspace: Workspace, selected: LabelledSet, heldout: LabelledSet | None) -> str:
    """Changes with everything that the result depends on."""
    spec = workspace.job.spec
    assert spec.finetune is not None
    sets = [selected] if heldout is None else [selected, heldout]
    return content_digest(
        canonical_json(
            {
                "embeddings": [labelled.pool.encoder.fingerprint for labelled in sets],
                "rows": [labelled.rows.tolist() for labelled in sets],
                "labels": [labelled.labels.tolist() for labelled in sets],
                "recipe": [spec.finetune.recipe, spec.finetune.epochs, spec.finetune.workers.replicas],
                "seed": spec.selection.seed,
            }
        )
    )[:32]


def _recipe(workspace: Workspace) -> Recipe:
    spec = workspace.job.spec
    assert spec.finetune is not None
    return Recipe(epochs=spec.finetune.epochs, seed=spec.selection.seed)


def _workers(workspace: Workspace) -> TrainingWorkers:
    finetune = workspace.job.spec.finetune
    assert finetune is not None
    replicas = finetune.workers.replicas
    if workspace.settings.groups:
        return TrainingWorkers(replicas=replicas, slot=workspace.settings.groups[0].trainer)
    # Never more than the session has: a local run ignores what was meant for a cluster.
    replicas = min(replicas, len(workspace.slots))
    cpus = max(1, len(workspace.slots) // replicas)
    return TrainingWorkers(replicas=replicas, slot=Slot(cpus=cpus, gpus=1.0 if workspace.has_gpus else 0.0))


def _require_gpu(workspace: Workspace) -> None:
    """Ask a worker that was given a GPU whether it sees one: Ray Train would fail over it in words of its own."""
    spec = workspace.job.spec.embedding
    workspace.crew.run([Task(name="look for the GPU", function=require_gpu, args=(spec,), needs_gpu=True)])


def _store(workspace: Workspace, name: str, result: FinetuneResult, state: bytes) -> Commit:
    figures = Finetune(
        accuracy=result.metrics.accuracy,
        macro_recall=result.metrics.macro_recall,
        classes_hit=result.metrics.classes_hit,
        classes=len(result.classes),
        labels=result.train_rows,
        seconds=result.train_seconds + result.evaluation_seconds,
        held_out=result.basis is Basis.evaluation_set,
    )
    facts = cast("dict[str, JsonValue]", figures.model_dump(mode="json", by_alias=True))
    return commit(workspace.output, f"{FINETUNE_FOLDER}/{name}", {MODEL: state}, facts, fence=workspace.fence)
