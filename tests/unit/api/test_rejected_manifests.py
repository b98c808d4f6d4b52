"""Manifests that must not load: where the problem is found, and what its message says."""

from __future__ import annotations

import pytest
from helpers.manifests import (
    CLUSTER,
    EVALUATION,
    LABELS,
    REMOVED,
    RUNTIME,
    WORKERS,
    cluster_manifest,
    manifest,
    problems_of,
)

from afray.api.rules import Target

PREVIOUS = {"certificate": {"uri": "out-1/certificate.json"}, "labels": LABELS}
CLEAR = {"name": "AZURE_STORAGE_SAS_KEY", "value": "sv=2026"}
SELECTION = "spec.selection"
EMBEDDINGS = {"spec.pool.format": "embeddings", "spec.embedding": REMOVED}

RUN = [
    # metadata
    ("metadata.name", "Weld_Pilot", "metadata.name", "DNS-1035", "For example: weld-pilot"),
    ("metadata.name", "1-weld", "metadata.name", "DNS-1035", "Start with a lowercase letter"),
    ("metadata.name", "w" * 41, "metadata.name", "40 characters", "For example: " + "w" * 40),
    ("metadata.name", REMOVED, "metadata.name", "is required", "Add it"),
    ("metadata.labels", {"team": 5}, "metadata.labels.team", "is not a text", "in quotes"),
    ("metadata.labels", {"kueue.x-k8s.io/queue-name": "Team A"}, 'metadata.labels["kueue.x-k8s.io/queue-name"]',
     "is not a label value", "team-a"),
    ("metadata.lables", {"a": "b"}, "metadata.lables", "is not a field", "Did you mean labels?"),
    # unknown fields, misplaced fields, later fields
    ("spec.seed", 1, "spec.seed", "is not a field of spec", "Did you mean spec.selection.seed?"),
    ("spec.embedding.image_size", 64, "spec.embedding.image_size", "is not a field", "Did you mean imageSize?"),
    ("spec.pool.stratum", "site", "spec.pool.stratum", "is not a field of spec.pool", "one of: uri, format"),
    ("spec.previous", {"labels": LABELS}, "spec.previous.certificate", "is required", "round before"),
    ("spec.previous", {"certificate": PREVIOUS["certificate"]}, "spec.previous.labels",
     "is missing, and `afray run` waits for nobody", "`afray next`"),
    ("spec.previous", {**PREVIOUS, "labels": {"uri": "l.csv"}}, "spec.previous.labels.format", "is required", "csv"),
    ("spec.previous", {**PREVIOUS, "certificate": {"uri": "out-1/"}}, "spec.previous.certificate.uri",
     "names a folder", "file"),
    ("spec.previous", {**PREVIOUS, "certificate": {"uri": "out/certificate.json"}}, "spec.output.uri",
     "holds the certificate of the round before", "beside it"),
    ("spec.selection.reviewBudget", 5, "spec.selection.reviewBudget", "is not a field", "Remove it"),
    ("spec.selection.method", "uherding", f"{SELECTION}.method", "needs the labels of a round before it",
     "`afray next` writes it"),
    ("spec.selection.uherding", {}, f"{SELECTION}.uherding", "has no effect on selection.method bilaf",
     "set method: uherding"),
    ("spec.selection.uherding", {"kernelScale": 0}, f"{SELECTION}.uherding.kernelScale", "is below 0.01", "0.01"),
    # types, as an API server sees them
    ("spec.suspend", "yes", "spec.suspend", "is neither true nor false", "without quotes"),
    ("spec.embedding.imageSize", "64", "spec.embedding.imageSize", "is not a whole number", "without quotes"),
    ("spec.embedding.batchSize", 1.5, "spec.embedding.batchSize", "is not a whole number", "digits"),
    ("spec.embedding.batchSize", True, "spec.embedding.batchSize", "is not a whole number", "digits"),
    ("spec.embedding", "timm/resnet18", "spec.embedding", "is not a mapping", "model, weights"),
    ("spec.pool.decode", {"background": None}, "spec.pool.decode.background", "is empty", "remove the line"),
    ("spec.pool", REMOVED, "spec.pool", "is required", "rows to choose from"),
    # pool
    ("spec.pool.format", REMOVED, "spec.pool.format", "is required", "one object a row"),
    ("spec.pool.format", "image", "spec.pool.format", "is not a known value", "Did you mean images?"),
    ("spec.pool.format", "csv", "spec.pool.format", "is not a known value", "images or parquet"),
    ("spec.pool.maxBadFraction", 5, "spec.pool.maxBadFraction", "is not below 1", "a number from 0 to below 1"),
    ("spec.pool.maxBadFraction", float("nan"), "spec.pool.maxBadFraction", "is not a finite number", "0.1"),
    ("spec.pool.labels", {"uri": "l.csv"}, "spec.pool.labels.format", "is required", "csv"),
    ("spec.pool.labels", {"uri": "l/", "format": "csv"}, "spec.pool.labels.uri", "names a folder", "file"),
    ("spec.pool.decode", {"pixelRange": [4095, 0]}, "spec.pool.decode.pixelRange", "is not a range", "low < high"),
    ("spec.pool.decode", {"pixelRange": "0-4095"}, "spec.pool.decode.pixelRange", "not a pair", "[low, high]"),
    ("spec.pool.decode", {"pixelRange": "dtype"}, "spec.pool.decode.pixelRange", "not a pair", "leave it out"),
    ("spec.pool.decode", {"pixelRange": [0]}, "spec.pool.decode.pixelRange", "not a pair", "[low, high]"),
    ("spec.pool.decode", {"background": "white"}, "spec.pool.decode.background", "is not a colour", "quotes"),
    # locations
    ("spec.pool.uri", "https://host/welds", "spec.pool.uri", "is not an object store", "s3://"),
    ("spec.pool.uri", "s3:/plant/welds", "spec.pool.uri", "is not spelled s3://", "Write s3://plant/welds"),
    ("spec.pool.uri", "S3://plant/welds", "spec.pool.uri", "is not spelled s3://", "Write s3://plant/welds"),
    ("spec.pool.uri", "s3a://plant/welds", "spec.pool.uri", "is not spelled s3://", "Write s3://plant/welds"),
    ("spec.pool.uri", "s3://", "spec.pool.uri", "names no bucket", "s3://<bucket>/<prefix>"),
    ("spec.pool.uri", "gs:///welds", "spec.pool.uri", "names no bucket", "gs://<bucket>/<prefix>"),
    ("spec.pool.uri", "s3://plant/../welds", "spec.pool.uri", "'..' in its key", "as the store lists it"),
    ("spec.pool.uri", "file://data/welds", "spec.pool.uri", "names a host", "Write file:///data/welds"),
    ("spec.pool.uri", "C:\\welds", "spec.pool.uri", "is a Windows path", "/mnt/c"),
    ("spec.pool.uri", "nfs://host/welds", "spec.pool.uri", "unknown scheme nfs://", "s3://"),
    ("spec.pool.uri", "s3://${BUCKET}/welds", "spec.pool.uri", "is an unfilled template", "expands none"),
    ("spec.pool.uri", " s3://plant/welds", "spec.pool.uri", "has blanks", "Remove them"),
    ("spec.pool.uri", "", "spec.pool.uri", "is shorter than 1", "2048 characters"),
    ("spec.pool.uri", "p" * 2049, "spec.pool.uri", "is longer than 2048", "2048 characters"),
    ("spec.output.uri", "pool/out", "spec.output.uri", "lies below it", "beside it"),
    ("spec.output.uri", "./pool/", "spec.output.uri", "is pool.uri", "beside it"),
    # embedding
    ("spec.embedding", REMOVED, "spec.embedding.model", "is required by pool.format images", "timm/<name>"),
    ("spec.embedding.model", "vit_small", "spec.embedding.model", "is not a model", "timm/vit_small"),
    ("spec.embedding.model", "efficientnet_lite0", "spec.embedding.model", "is not a model",
     "Did you mean package:efficientnet-lite0?"),
    ("spec.embedding.weights", {"uri": "m.pt"}, "spec.embedding.weights.sha256", "is required", "Digest"),
    ("spec.embedding.weights", {"uri": "m.pt", "sha256": "A" * 64}, "spec.embedding.weights.sha256",
     "is not a sha256", "a" * 64),
    ("spec.embedding.imageSize", 15, "spec.embedding.imageSize", "is below 16", "from 16 to 4096"),
    ("spec.embedding.precision", "fp16", "spec.embedding.precision", "is not a known value", "float16"),
    ("spec.embedding.device", "gpu", "spec.embedding.device", "is not a known value", "cuda"),
    ("spec.embedding.normalize", "standardise", "spec.embedding.normalize", "not a known", "Did you mean standardize?"),
    # selection
    ("spec.selection.budget", 100, f"{SELECTION}.budget", "neither a count nor", "{count: 100}"),
    ("spec.selection.budget", {}, f"{SELECTION}.budget", "gives neither count nor percent", "{count: 1000}"),
    ("spec.selection.budget", {"count": 1, "percent": 1}, f"{SELECTION}.budget", "gives both", "Keep one"),
    ("spec.selection.budget", {"count": 0}, f"{SELECTION}.budget.count", "is below 1", "from 1 to 1000000000"),
    ("spec.selection.budget", {"percent": "0.5%"}, f"{SELECTION}.budget.percent", "is not a number", "without sign"),
    ("spec.selection.budget", {"percent": 0}, f"{SELECTION}.budget.percent", "is not a percentage", "5 rows in 1000"),
    ("spec.selection.budget", {"percent": 100.5}, f"{SELECTION}.budget.percent", "is not a percentage", "1000"),
    ("spec.selection.budget", {"percent": float("nan")}, f"{SELECTION}.budget.percent", "is not a percentage", "1000"),
    ("spec.selection.budget", {"percent": "0.5"}, f"{SELECTION}.budget.percent", "is not a number", "without"),
    ("spec.selection.budget", {"percent": True}, f"{SELECTION}.budget.percent", "is not a number", "0.5"),
    ("spec.selection.budget", {"percent": 0.1234567891}, f"{SELECTION}.budget.percent", "more than 9 decimals",
     "budget.count"),
    ("spec.selection.core", {"size": 101}, f"{SELECTION}.core.size", "larger than the budget of 100", "at most 100"),
    ("spec.selection.core", {"size": "all"}, f"{SELECTION}.core.size", "neither auto nor", "auto"),
    ("spec.selection.core", {"method": "given"}, f"{SELECTION}.core.uri", "is required", "one id a line"),
    ("spec.selection.core", {"uri": "ids.txt"}, f"{SELECTION}.core.uri", "no effect on core.method activeft", "Remove"),
    ("spec.selection.core", {"method": "given", "uri": "ids.txt", "size": 5}, f"{SELECTION}.core.size",
     "no effect on core.method given", "Remove"),
    ("spec.selection.core", {"method": "kmeans", "steps": 5}, f"{SELECTION}.core.steps", "no effect", "Remove"),
    ("spec.selection.core", {"steps": 0}, f"{SELECTION}.core.steps", "whole number from 1 to 100000", "auto"),
    ("spec.selection", {"method": "random", "budget": {"count": 9}, "core": {"size": 5}}, f"{SELECTION}.core.size",
     "no effect on selection.method random", "method: bilaf"),
    ("spec.selection", {"method": "activeft", "budget": {"count": 9}, "boundary": {"mode": "released"}},
     f"{SELECTION}.boundary.mode", "no effect on selection.method activeft", "method: bilaf"),
    ("spec.selection", {"method": "kmeans", "budget": {"count": 9}, "denoise": {"neighbours": 3}},
     f"{SELECTION}.denoise.neighbours", "no effect on selection.method kmeans", "method: bilaf"),
    ("spec.selection.method", "kcentre", f"{SELECTION}.method", "is not a known value", "Did you mean kcenter?"),
    ("spec.selection.denoise", {"removalRatio": 1}, f"{SELECTION}.denoise.removalRatio", "is not below 1", "from 0"),
    ("spec.selection.denoise", {"neighbors": 3}, f"{SELECTION}.denoise.neighbors", "not a field", "neighbours?"),
    ("spec.selection.core", {"probes": 0}, f"{SELECTION}.core.probes", "is below 1", "from 1 to 10000"),
    ("spec.selection.boundary", {"intraDistance": "mean"}, f"{SELECTION}.boundary.intraDistance",
     "is not a known value", "rms"),
    ("spec.selection.boundary", {"mode": "released", "intraDistance": "rms"}, f"{SELECTION}.boundary.intraDistance",
     "is approximate", "boundary.mode: paper"),
    ("spec.selection.boundary", {"opponentPenalty": 0.9}, f"{SELECTION}.boundary.opponentPenalty", "below 1", "from 1"),
    ("spec.selection.seed", -1, f"{SELECTION}.seed", "is below 0", "to 4294967295"),
    # labels, finetune, evaluation
    ("spec.labels", {"uri": "l.csv", "format": "csv", "sha256": "abc"}, "spec.labels.sha256", "not a sha256", "64"),
    ("spec.labels", {"uri": "l.json", "format": "labelstudio"}, "spec.labels.format", "is not a known value",
     "Did you mean label-studio?"),
    ("spec.labels", {"uri": "l.json", "format": "coco"}, "spec.labels.format", "is not a known value",
     "Use csv or parquet or label-studio."),
    ("spec.pool.labels", {"uri": "l.json", "format": "label-studio"}, "spec.pool.labels.format",
     "is not a known value", "Use csv or parquet."),
    ("spec.finetune", {"epochs": 0}, "spec.finetune.epochs", "is below 1", "from 1 to 10000"),
    ("spec.finetune", {"recipe": "lora"}, "spec.finetune.recipe", "is not a known value", "full"),
    ("spec.evaluation", {"uri": "heldout", "format": "images"}, "spec.evaluation.labels", "is required", "Add it"),
    ("spec.evaluation", {**EVALUATION, "uri": "pool/heldout"}, "spec.evaluation.uri", "shares rows", "beside"),
    ("spec.evaluation", {**EVALUATION, "format": "embeddings"}, "spec.evaluation.format", "does not go with", "both"),
    # cluster blocks are checked wherever they stand
    ("spec.policy", {"backoffLimit": 21}, "spec.policy.backoffLimit", "is above 20", "from 0 to 20"),
    ("spec.policy", {"stallTimeoutSeconds": 5}, "spec.policy.stallTimeoutSeconds", "is below 60", "from 60"),
]  # fmt: skip

IMAGES_OF_EMBEDDINGS = [
    ("spec.embedding", {"model": "timm/resnet18"}, "spec.embedding.model", "no effect on pool.format embeddings", ""),
    ("spec.embedding", {"imageSize": 64}, "spec.embedding.imageSize", "no effect on pool.format embeddings", "Remove"),
    ("spec.pool.decode", {"maxPixels": 5}, "spec.pool.decode.maxPixels", "no effect on pool.format", "Remove"),
    ("spec.finetune", {}, "spec.finetune", "needs images", "linear probe"),
    ("spec.evaluation", EVALUATION, "spec.evaluation.format", "does not go with pool.format embeddings", "both"),
    ("spec.pool.labels", {"uri": "pool/labels.parquet", "format": "parquet"}, "spec.pool.labels.uri",
     "would be read as rows", "Move"),
]  # fmt: skip

ON_CLUSTER = [
    ("spec.cluster", REMOVED, "spec.cluster", "is required on a cluster", "--for run"),
    ("spec.pool.uri", "welds", "spec.pool.uri", "is a path", "s3://"),
    ("spec.output.uri", "/data/out", "spec.output.uri", "is a path", "file:///path"),
    ("spec.labels", LABELS, "spec.labels.uri", "is a path", "s3://"),
    ("spec.runtime.image", "Afray Image", "spec.runtime.image", "is not a container image", "registry/name:tag"),
    ("spec.runtime.rayVersion", 2.6, "spec.runtime.rayVersion", "is not a text", "quotes"),
    ("spec.runtime.rayVersion", "v2.60", "spec.runtime.rayVersion", "is not a version", "2.60.0"),
    ("spec.runtime.imagePullSecrets", ["regcred"], "spec.runtime.imagePullSecrets[0]", "is not a mapping", "name"),
    ("spec.runtime.envFrom", [{}], "spec.runtime.envFrom[0]", "gives neither secretRef", "{name: s3}"),
    ("spec.runtime.env", [{"name": "A"}], "spec.runtime.env[0]", "gives neither value", "valueFrom"),
    ("spec.runtime.env", [{"name": "A-B", "value": "1"}], "spec.runtime.env[0].name", "environment variable", "'_'"),
    ("spec.runtime.env", [{"name": "A", "value": "1"}] * 2, "spec.runtime.env[1]", "is set twice", "Keep one"),
    ("spec.runtime.env", [{"name": "SELECTION_SPEC", "value": "1"}], "spec.runtime.env[0].name", "reserved", "Rename"),
    ("spec.runtime.env", [{"name": "HF_TOKEN", "value": "x"}], "spec.runtime.env[0].value", "in clear", "secretKeyRef"),
    ("spec.runtime.env", [{"name": "A", "valueFrom": {}}], "spec.runtime.env[0].valueFrom", "gives neither",
     "secretKeyRef"),
    ("spec.cluster.workers", [], "spec.cluster.workers", "has fewer than 1", "1 to 16"),
    ("spec.cluster.workers", [{**WORKERS, "name": f"g{n}"} for n in range(17)], "spec.cluster.workers",
     "has more than 16", "Kueue"),
    ("spec.cluster.workers", [WORKERS, WORKERS], "spec.cluster.workers[1]", "occurs twice", "its own name"),
    ("spec.cluster.workers[0].name", "head", "spec.cluster.workers[0].name", "is reserved", "another name"),
    ("spec.cluster.workers[0].replicas", 0, "spec.cluster.workers[0].replicas", "is below 1", "from 1 to 1000"),
    ("spec.cluster.workers[0].resources", {"cpu": "8"}, "spec.cluster.workers[0].resources.memory", "is required",
     "32Gi"),
    ("spec.cluster.workers[0].resources.memory", "32GB", "spec.cluster.workers[0].resources.memory",
     "is not a quantity", "Write 32Gi"),
    ("spec.cluster.workers[0].resources.memory", 4, "spec.cluster.workers[0].resources.memory", "less than 64Mi",
     "4Gi"),
    ("spec.cluster.workers[0].resources.memory", "512m", "spec.cluster.workers[0].resources.memory", "less than 64Mi",
     "thousandth"),
    ("spec.cluster.workers[0].resources.cpu", 0.5, "spec.cluster.workers[0].resources.cpu", "is a float", '"0.5"'),
    ('spec.cluster.workers[0].resources["nvidia.com/gpu"]', "500m",
     'spec.cluster.workers[0].resources["nvidia.com/gpu"]', "whole number of devices", "whole devices"),
    ("spec.cluster.head.template", {"containers": []}, "spec.cluster.head.template.containers", "pod template",
     "template.spec"),
    ("spec.cluster.head.template", {"spec": "gpu"}, "spec.cluster.head.template.spec", "is not a mapping", "below it"),
    ("spec.cluster.head.template", {"spec": {"x": "y" * 8192}}, "spec.cluster.head.template", "larger than 8192",
     "tolerations"),
    ("spec.cluster.workers", [{**WORKERS, "name": f"g{n}", "template": {"spec": {"x": "y" * 8000}}} for n in range(4)],
     "spec.cluster", "larger than 32000 bytes", "fewer worker groups"),
    ("spec.cluster.head.template", {"spec": {"serviceAccountName": "welds"}},
     "spec.cluster.head.template.spec.serviceAccountName", "may tell progress", "runtime.serviceAccountName"),
    ("spec.cluster.workers[0].template", {"spec": {"containers": [{"name": "ray"}, {"env": [CLEAR]}]}},
     "spec.cluster.workers[0].template.spec.containers[1].env[0].value", "gives the secret AZURE_STORAGE_SAS_KEY",
     "secretKeyRef"),
    ("spec.cluster.head.template", {"spec": {"initContainers": [{"env": [CLEAR]}]}},
     "spec.cluster.head.template.spec.initContainers[0].env[0].value", "gives the secret", "secretKeyRef"),
    ("spec.finetune", {"workers": {"group": "cpu"}}, "spec.finetune.workers.group", "not a worker group", "gpu"),
    ("spec.embedding.device", "mps", "spec.embedding.device", "exists on a Mac", "cuda"),
]  # fmt: skip


def expect(content: dict[str, object], field: str, problem: str, remedy: str, target: Target | None = None) -> None:
    problems = problems_of(content, target)
    assert [found.field for found in problems] == [field], problems
    assert problem in problems[0].problem
    assert remedy in problems[0].remedy


@pytest.mark.parametrize(("path", "value", "field", "problem", "remedy"), RUN)
def test_a_manifest_for_run_is_refused(path: str, value: object, field: str, problem: str, remedy: str) -> None:
    expect(manifest({path: value}), field, problem, remedy)


@pytest.mark.parametrize(("path", "value", "field", "problem", "remedy"), IMAGES_OF_EMBEDDINGS)
def test_what_belongs_to_images_is_refused_beside_embeddings(
    path: str, value: object, field: str, problem: str, remedy: str
) -> None:
    expect(manifest({**EMBEDDINGS, path: value}), field, problem, remedy)


@pytest.mark.parametrize(("path", "value", "field", "problem", "remedy"), ON_CLUSTER)
def test_a_manifest_for_a_cluster_is_refused(path: str, value: object, field: str, problem: str, remedy: str) -> None:
    expect(cluster_manifest({path: value}), field, problem, remedy)


def test_a_cuda_job_without_a_gpu_worker_is_refused() -> None:
    cpu_only = {**WORKERS, "resources": {"cpu": "8", "memory": "32Gi"}}
    changes = {"spec.embedding.device": "cuda", "spec.cluster": {**CLUSTER, "workers": [cpu_only]}}
    expect(cluster_manifest(changes), "spec.embedding.device", "no worker group asks for it", 'nvidia.com/gpu: "1"')


def test_a_finetune_must_say_which_of_several_worker_groups_it_takes() -> None:
    changes = {"spec.finetune": {}, "spec.cluster.workers": [WORKERS, {**WORKERS, "name": "cpu"}]}
    expect(cluster_manifest(changes), "spec.finetune.workers.group", "several worker groups", "one of gpu, cpu")


def test_a_cluster_needs_runtime_and_cluster_which_run_does_not() -> None:
    content = manifest({"spec.pool.uri": "s3://plant/welds", "spec.output.uri": "s3://plant/out"})
    assert problems_of(content, Target.run) == ()
    assert [found.field for found in problems_of(content, Target.cluster)] == ["spec.runtime", "spec.cluster"]


def test_a_path_is_refused_where_the_target_is_a_cluster_only() -> None:
    content = cluster_manifest({"spec.pool.uri": "welds", "spec.runtime": RUNTIME})
    assert problems_of(content, Target.run) == ()
    assert [found.field for found in problems_of(content)] == ["spec.pool.uri"]
