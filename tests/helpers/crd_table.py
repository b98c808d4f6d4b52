"""Manifests for a cluster that an API server and `afray validate` must judge alike, and changes of a stored job.

Each is `cluster_manifest(changes)`; a refused one names the field at fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from helpers.manifests import CLUSTER, REMOVED, RUNTIME, WORKERS

Changes = Mapping[str, object]
LABELS: Final = {"uri": "s3://plant/labels.csv", "format": "csv"}
EVALUATION: Final = {"uri": "s3://plant/heldout", "format": "images", "labels": LABELS}
PREVIOUS: Final = {"certificate": {"uri": "s3://plant/out-1/certificate.json"}, "labels": LABELS}
EMBEDDINGS: Final = {"spec.pool.format": "embeddings", "spec.embedding": REMOVED}
SECRET: Final = {"secretKeyRef": {"name": "hub", "key": "token"}}
CPU_ONLY: Final = {**WORKERS, "resources": {"cpu": "8", "memory": "32Gi"}}
TWO_GROUPS: Final = [WORKERS, {**WORKERS, "name": "cpu"}]
GPU: Final = 'spec.cluster.workers[0].resources["nvidia.com/gpu"]'


@dataclass(frozen=True, slots=True)
class Refused:
    """A manifest and the field that is at fault; `at_server`, if an API server can only name a field around it."""

    changes: Changes
    field: str
    at_server: str = ""
    same_words: bool = True
    """The API server says problem and remedy of the model; else it says something of its own."""


def _value(field: str, value: object, *, at: str = "") -> Refused:
    """A wrong value, which a rule in CEL refuses with the model's words."""
    return Refused({field: value}, at or field)


def _schema(field: str, value: object, *, at: str = "") -> Refused:
    """A wrong value, which the schema alone refuses with its own words."""
    return Refused({field: value}, at or field, same_words=False)


REFUSED: Final = (
    # the object
    _value("metadata.name", "1-weld"),
    _value("metadata.name", "w" * 41),
    _value("metadata.name", "Weld_Pilot"),
    _schema("metadata.lables", {"a": "b"}),
    _schema("spec.seed", 1),
    _schema("spec.embedding.image_size", 64),
    _schema("spec.pool.stratum", "site"),
    _schema("spec.suspend", "yes"),
    _schema("spec.pool", REMOVED),
    _schema("spec.runtime", REMOVED),
    _schema("spec.cluster", REMOVED),
    _schema("spec.embedding", "timm/resnet18"),
    # locations
    _value("spec.pool.uri", "welds"),
    _value("spec.output.uri", "/data/out"),
    _value("spec.pool.uri", "https://host/welds"),
    _value("spec.pool.uri", "nfs://host/welds"),
    _value("spec.pool.uri", "S3://plant/welds"),
    _value("spec.pool.uri", "s3a://plant/welds"),
    _value("spec.pool.uri", "s3:/plant/welds"),
    _value("spec.pool.uri", "file:/data/welds"),
    _value("spec.pool.uri", "C:\\welds"),
    Refused({"spec.pool.uri": "file://data/welds"}, "spec.pool.uri", same_words=False),
    Refused({"spec.pool.uri": "gs:///welds"}, "spec.pool.uri", same_words=False),
    _value("spec.pool.uri", "s3://key:word@plant/welds"),
    _value("spec.pool.uri", "s3://plant/../welds"),
    _value("spec.pool.uri", "s3://plant//welds"),
    _value("spec.pool.uri", "s3://${BUCKET}/welds"),
    _value("spec.pool.uri", "s3://plant/welds "),
    _value("spec.pool.uri", "s3://plant/we\u200blds"),
    _schema("spec.pool.uri", "s3://plant/" + "p" * 2048),
    _value("spec.labels", {**LABELS, "uri": "s3://plant/labels/"}, at="spec.labels.uri"),
    _value("spec.output.uri", "s3://plant/welds/out/"),
    _value("spec.output.uri", "s3://plant/welds"),
    Refused({"spec.pool.uri": "file:///mnt", "spec.output.uri": "file://localhost/mnt/out"}, "spec.output.uri"),
    Refused({"spec.evaluation": EVALUATION, "spec.output.uri": "s3://plant/heldout/out"}, "spec.output.uri"),
    _value("spec.evaluation", {**EVALUATION, "uri": "s3://plant/welds/heldout"}, at="spec.evaluation.uri"),
    Refused(
        {"spec.evaluation": {**EVALUATION, "uri": "s3://plant"}, "spec.output.uri": "s3://other/out"},
        "spec.evaluation.uri",
    ),
    Refused(
        {"spec.pool.format": "parquet", "spec.pool.labels": {"uri": "s3://plant/welds/l.parquet", "format": "parquet"}},
        "spec.pool.labels.uri",
    ),
    Refused(
        {
            "spec.pool.format": "parquet",
            "spec.previous": {**PREVIOUS, "labels": {"uri": "s3://plant/welds/l.parquet", "format": "parquet"}},
        },
        "spec.previous.labels.uri",
    ),
    Refused({"spec.previous": PREVIOUS, "spec.output.uri": "s3://plant/out-1"}, "spec.output.uri"),
    _value(
        "spec.previous", {**PREVIOUS, "certificate": {"uri": "s3://plant/out-1/"}}, at="spec.previous.certificate.uri"
    ),
    _schema("spec.previous", {"labels": LABELS}, at="spec.previous.certificate"),
    # pool and embedding
    _schema("spec.pool.format", "csv"),
    _schema("spec.pool.maxBadFraction", 1),
    _schema("spec.pool.labels", {"uri": "s3://plant/l.csv"}, at="spec.pool.labels.format"),
    _value("spec.pool.decode", {"pixelRange": [4095, 0]}, at="spec.pool.decode.pixelRange"),
    _schema("spec.pool.decode", {"pixelRange": [0]}, at="spec.pool.decode.pixelRange"),
    _schema("spec.pool.decode", {"pixelRange": "dtype"}, at="spec.pool.decode.pixelRange"),
    _value("spec.pool.decode", {"background": "white"}, at="spec.pool.decode.background"),
    _value("spec.embedding", REMOVED, at="spec.embedding.model"),
    _value("spec.embedding.model", "vit_small"),
    _schema("spec.embedding.weights", {"uri": "s3://plant/m.pt"}, at="spec.embedding.weights.sha256"),
    _value(
        "spec.embedding.weights", {"uri": "s3://plant/m.pt", "sha256": "A" * 64}, at="spec.embedding.weights.sha256"
    ),
    _schema("spec.embedding.imageSize", 15),
    _schema("spec.embedding.imageSize", "64"),
    _schema("spec.embedding.precision", "fp16"),
    _value("spec.embedding.device", "mps"),
    Refused({"spec.embedding.device": "cuda", "spec.cluster.workers": [CPU_ONLY]}, "spec.embedding.device"),
    Refused({**EMBEDDINGS, "spec.embedding": {"model": "timm/resnet18"}}, "spec.embedding.model"),
    Refused({**EMBEDDINGS, "spec.embedding": {"imageSize": 64}}, "spec.embedding.imageSize"),
    Refused({**EMBEDDINGS, "spec.pool.decode": {"pixelRange": [0, 1]}}, "spec.pool.decode.pixelRange"),
    Refused({**EMBEDDINGS, "spec.finetune": {}}, "spec.finetune"),
    Refused({**EMBEDDINGS, "spec.evaluation": EVALUATION}, "spec.evaluation.format"),
    # selection
    _value("spec.selection.budget", {}),
    _value("spec.selection.budget", {"count": 1, "percent": 1}),
    _schema("spec.selection.budget", 100),
    _schema("spec.selection.budget", {"count": 0}, at="spec.selection.budget.count"),
    _schema("spec.selection.budget", {"percent": "0.5"}, at="spec.selection.budget.percent"),
    _schema("spec.selection.budget", {"percent": 100.5}, at="spec.selection.budget.percent"),
    _value("spec.selection.budget", {"percent": 0.1234567891}, at="spec.selection.budget.percent"),
    Refused({"spec.selection.core": {"size": 101}}, "spec.selection.core.size", same_words=False),
    _value("spec.selection.core", {"size": "all"}, at="spec.selection.core.size"),
    _value("spec.selection.core", {"steps": 0}, at="spec.selection.core.steps"),
    _value("spec.selection.core", {"method": "given"}, at="spec.selection.core.uri"),
    _value("spec.selection.core", {"uri": "s3://plant/ids.txt"}, at="spec.selection.core.uri"),
    _value("spec.selection.core", {"method": "kmeans", "steps": 5}, at="spec.selection.core.steps"),
    Refused({"spec.selection.method": "random", "spec.selection.core": {"size": 5}}, "spec.selection.core.size"),
    Refused({"spec.selection.method": "kmeans", "spec.selection.core": {"probes": 4}}, "spec.selection.core.probes"),
    _schema("spec.selection.core", {"probes": 0}, at="spec.selection.core.probes"),
    _schema("spec.selection.boundary", {"intraDistance": "median"}, at="spec.selection.boundary.intraDistance"),
    Refused(
        {"spec.selection.core": {"probes": 4}, "spec.selection.boundary": {"mode": "released"}},
        "spec.selection.core.probes",
    ),
    _value(
        "spec.selection.boundary",
        {"mode": "released", "intraDistance": "rms"},
        at="spec.selection.boundary.intraDistance",
    ),
    Refused(
        {"spec.selection.method": "activeft", "spec.selection.boundary": {"mode": "released"}},
        "spec.selection.boundary.mode",
    ),
    _schema("spec.selection.method", "kcentre"),
    _value("spec.selection.method", "uherding"),
    Refused({"spec.previous": PREVIOUS, "spec.selection.uherding": {}}, "spec.selection.uherding"),
    Refused(
        {
            "spec.previous": PREVIOUS,
            "spec.selection.method": "uherding",
            "spec.selection.uherding": {"neighbours": 0},
        },
        "spec.selection.uherding.neighbours",
        same_words=False,
    ),
    _schema("spec.selection.boundary", {"opponentPenalty": 0.9}, at="spec.selection.boundary.opponentPenalty"),
    _schema("spec.selection.seed", 2**32),
    # finetune and pods
    _schema("spec.finetune", {"recipe": "lora"}, at="spec.finetune.recipe"),
    Refused({"spec.finetune": {"workers": {"group": "cpu"}}}, "spec.finetune.workers.group", same_words=False),
    Refused(
        {"spec.finetune": {}, "spec.cluster.workers": TWO_GROUPS}, "spec.finetune.workers.group", same_words=False
    ),
    _value("spec.runtime.image", "Afray Image"),
    _value("spec.runtime.rayVersion", "v2.60"),
    _schema("spec.runtime.rayVersion", 2.6),
    _value("spec.runtime.serviceAccountName", "my_account"),
    _schema("spec.runtime.imagePullSecrets", ["regcred"], at="spec.runtime.imagePullSecrets[0]"),
    _value("spec.runtime.envFrom", [{}], at="spec.runtime.envFrom[0]"),
    _value("spec.runtime.env", [{"name": "A"}], at="spec.runtime.env[0]"),
    _value("spec.runtime.env", [{"name": "A", "valueFrom": {}}], at="spec.runtime.env[0].valueFrom"),
    _value("spec.runtime.env", [{"name": "A-B", "value": "1"}], at="spec.runtime.env[0].name"),
    _value("spec.runtime.env", [{"name": "SELECTION_SPEC", "value": "1"}], at="spec.runtime.env[0].name"),
    _value("spec.runtime.env", [{"name": "HF_TOKEN", "value": "x"}], at="spec.runtime.env[0].value"),
    _schema("spec.runtime.env", [{"name": "A", "value": "1"}] * 2, at="spec.runtime.env[1]"),
    _schema("spec.cluster.workers", []),
    _schema("spec.cluster.workers", [{**WORKERS, "name": f"g{number}"} for number in range(17)]),
    _schema("spec.cluster.workers", [WORKERS, WORKERS], at="spec.cluster.workers[1]"),
    _value("spec.cluster.workers[0].name", "head"),
    _value("spec.cluster.workers[0].name", "GPU"),
    _schema("spec.cluster.workers[0].replicas", 0),
    _value("spec.cluster.workers[0].resources", {"cpu": "8"}, at="spec.cluster.workers[0].resources.memory"),
    _value("spec.cluster.head.resources", {"memory": "4Gi"}, at="spec.cluster.head.resources.cpu"),
    Refused(
        {"spec.cluster.workers[0].resources.memory": "32GB"},
        "spec.cluster.workers[0].resources.memory",
        same_words=False,
    ),
    _value("spec.cluster.workers[0].resources.memory", 4),
    _value("spec.cluster.workers[0].resources.memory", "512m"),
    _schema("spec.cluster.workers[0].resources.cpu", 0.5),
    _value("spec.cluster.workers[0].resources.cpu", -1),
    _value(GPU, "500m"),
    Refused(
        {'spec.cluster.workers[0].resources["amd.com/gpu"]': "0.5"},
        'spec.cluster.workers[0].resources["amd.com/gpu"]',
        at_server="spec.cluster.workers[0].resources",
    ),
    Refused(
        {'spec.cluster.workers[0].resources["my gpu"]': "1"},
        'spec.cluster.workers[0].resources["my gpu"]',
        at_server="spec.cluster.workers[0].resources",
    ),
    _schema("spec.cluster.head.template", {"containers": []}, at="spec.cluster.head.template.containers"),
    _schema("spec.cluster.head.template", {"spec": "gpu"}, at="spec.cluster.head.template.spec"),
    _schema("spec.policy", {"backoffLimit": 21}, at="spec.policy.backoffLimit"),
    _schema("spec.policy", {"stallTimeoutSeconds": 5}, at="spec.policy.stallTimeoutSeconds"),
)  # fmt: skip

ACCEPTED: Final[tuple[Changes, ...]] = (
    {},
    {"metadata.name": "w" * 40, "metadata.labels": {"kueue.x-k8s.io/queue-name": "team-a", "empty": ""}},
    {"metadata.annotations": {"Team.example.com/note": "welds of line 3"}},
    {"spec.pool.uri": "s3://plant/welds/", "spec.output.uri": "s3://plant/welds-out/"},
    {"spec.pool.uri": "file:///mnt/welds", "spec.output.uri": "gs://plant"},
    {"spec.pool.uri": "az://container/grün und blau", "spec.output.uri": "s3://plant/...x/out"},
    {"spec.pool.format": "parquet", "spec.pool.labels": {"uri": "s3://plant/l.parquet", "format": "parquet"}},
    {"spec.pool.format": "webdataset", "spec.pool.labels": {"uri": "s3://plant/welds/l.csv", "format": "csv"}},
    {"spec.pool.decode": {"pixelRange": [0, 4095], "background": "#00FF7f", "maxPixels": 1}},
    {"spec.pool.decode": {"pixelRange": [-0.5, 0.25]}, "spec.pool.maxBadFraction": 0},
    {"spec.embedding.model": "package:efficientnet-lite0", "spec.embedding.device": "cuda"},
    {"spec.embedding.weights": {"uri": "s3://plant/dino.pt", "sha256": "0123456789abcdef" * 4}},
    EMBEDDINGS,
    {**EMBEDDINGS, "spec.embedding": {"normalize": "l2", "shardSize": 7, "device": "cpu"}},
    {**EMBEDDINGS, "spec.evaluation": {**EVALUATION, "format": "embeddings"}},
    {"spec.selection.core": {"size": 100}},
    {"spec.selection.core": {"size": 500, "steps": 10, "rowsPerStep": 1000}, "spec.selection.budget": {"percent": 1}},
    {"spec.selection.budget": {"percent": 0.000000001}},
    {"spec.selection.budget": {"percent": 33.333333333}},
    {"spec.selection.core": {"method": "given", "uri": "s3://plant/cores.txt"}},
    {"spec.selection.core": {"method": "kmeans", "size": 80}},
    {"spec.selection.core": {"probes": 4}, "spec.selection.boundary": {"intraDistance": "rms"}},
    {"spec.selection.method": "activeft", "spec.selection.core": {"steps": 10}},
    {"spec.selection.method": "random", "spec.selection.core": {"size": "auto"}, "spec.selection.denoise": {}},
    {"spec.selection.boundary": {"mode": "released", "opponentPenalty": 1}, "spec.selection.seed": 2**32 - 1},
    {"spec.previous": PREVIOUS, "spec.selection.method": "uherding"},
    {
        "spec.previous": {**PREVIOUS, "labels": {**LABELS, "sha256": "f" * 64}},
        "spec.selection.method": "uherding",
        "spec.selection.uherding": {"kernelScale": 0.5, "neighbours": 4},
    },
    {"spec.previous": PREVIOUS},
    {"spec.previous": {"certificate": PREVIOUS["certificate"]}, "spec.selection.method": "uherding"},
    {"spec.labels": {**LABELS, "sha256": "f" * 64}, "spec.finetune": {}, "spec.evaluation": EVALUATION},
    {"spec.labels": {"uri": "s3://plant/export.json", "format": "label-studio"}},
    {"spec.finetune": {"workers": {"group": "gpu", "replicas": 2}, "activeDeadlineSeconds": 3600}},
    {"spec.labels": None, "spec.evaluation": None, "spec.finetune": None},
    {"spec.suspend": True, "spec.policy": {"backoffLimit": 0, "ttlSecondsAfterFinished": 0}},
    {"spec.runtime": {**RUNTIME, "serviceAccountName": "afray", "imagePullSecrets": [{"name": "regcred"}]}},
    {"spec.runtime.envFrom": [{"secretRef": {"name": "s3"}}, {"configMapRef": {"name": "ca"}, "prefix": "CA_"}]},
    {"spec.runtime.env": [{"name": "AWS_REGION", "value": "eu"}, {"name": "HF_TOKEN", "valueFrom": SECRET}]},
    {"spec.runtime.env": [{"name": "HF_TOKEN", "value": ""}, {"name": "TOKENIZERS_PARALLELISM", "value": "false"}]},
    {"spec.cluster": {**CLUSTER, "workers": [{**WORKERS, "name": f"g{number}"} for number in range(16)]}},
    {"spec.cluster.head.resources": {"cpu": 2, "memory": "4000M", "ephemeral-storage": "1.5Gi"}},
    {GPU: "2000m"},
    {GPU: "9" * 32},
    {
        "spec.cluster.head.template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"nodeSelector": {"disk": "ssd"}, "tolerations": [{"operator": "Exists"}]},
        }
    },
)

STORED: Final[Changes] = {
    "metadata.name": "stored",
    "spec.finetune": {},
    "spec.cluster.head.template": {"spec": {"nodeSelector": {"disk": "ssd"}}},
}
"""The job that is changed, by its own changes to `cluster_manifest`."""
ALLOWED_CHANGES: Final[tuple[Changes, ...]] = (
    {"spec.suspend": True},
    {"spec.policy": {"backoffLimit": 5, "ttlSecondsAfterFinished": 60}},
    {"spec.labels": LABELS},
    {"metadata.labels": {"kueue.x-k8s.io/queue-name": "team-b"}},
    {"spec.embedding.imageSize": 224},  # the default, written out
    {"spec.cluster.head.template": {"spec": {"priorityClassName": "low"}}},  # CEL sees no unknown name; docs/crd.md
)
REFUSED_CHANGES: Final[tuple[tuple[Changes, str], ...]] = (
    ({"spec.pool.uri": "s3://plant/others"}, "spec.pool"),
    ({"spec.pool.decode": {"pixelRange": [0, 1]}}, "spec.pool"),
    ({"spec.pool.labels": LABELS}, "spec.pool"),
    ({"spec.embedding.imageSize": 64}, "spec.embedding"),
    ({"spec.selection.budget": {"count": 101}}, "spec.selection"),
    ({"spec.finetune": REMOVED}, "spec.finetune"),
    ({"spec.finetune": {"epochs": 51}}, "spec.finetune"),
    ({"spec.evaluation": EVALUATION}, "spec.evaluation"),
    ({"spec.previous": PREVIOUS}, "spec.previous.certificate"),
    ({"spec.output.uri": "s3://plant/out2"}, "spec.output"),
    ({"spec.runtime.image": "registry.example.com/afray:1.1"}, "spec.runtime"),
    ({"spec.cluster.workers[0].replicas": 3}, "spec.cluster"),
    ({"spec.cluster.workers[0].name": "gpus"}, "spec.cluster"),
    ({"spec.cluster.head.template": {"spec": {"nodeSelector": {"disk": "hdd"}}}}, "spec.cluster"),
    ({"spec.cluster.head.template": REMOVED}, "spec.cluster"),
)
