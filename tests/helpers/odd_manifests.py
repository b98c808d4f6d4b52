"""Manifests for a cluster with one field set to something odd: for two judges that must agree on all of them.

Left out is what they are known to see differently (`afray.api.crd.rules.one_sided`): null, and 64.0 for 64.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from helpers.crd_table import EMBEDDINGS, EVALUATION, LABELS, PREVIOUS
from helpers.manifests import cluster_manifest, set_field

from afray.api import grammar, paths

_EVERY_BLOCK: Final[dict[str, object]] = {
    "spec.labels": {**LABELS, "sha256": "a" * 64},
    "spec.previous": {**PREVIOUS, "labels": {**LABELS, "sha256": "a" * 64}},
    "spec.finetune": {"workers": {"group": "gpu"}},
    "spec.evaluation": EVALUATION,
    "spec.pool.labels": LABELS,
    "spec.pool.decode": {"pixelRange": [0, 9]},
    "spec.embedding.weights": {"uri": "s3://plant/w.pt", "sha256": "a" * 64},
    "spec.runtime.env": [{"name": "A", "value": "b"}],
    "spec.runtime.envFrom": [{"secretRef": {"name": "s"}}],
    "spec.runtime.imagePullSecrets": [{"name": "a"}],
    "spec.cluster.head.template": {"spec": {}},
}
_TEXTS: Final = (
    *("", "a", "x" * 300, "auto", "cpu", "cuda", "mps", "images", "embeddings", "parquet", "csv", "given", "kmeans"),
    *("random", "activeft", "released", "full", "gpu", "head", "submitter", "Gpu", "g-", "-g", "g" * 21, "dtype"),
    *(" s3://b/x", "s3://b/x ", "s3://plant/welds", "s3://plant/welds/", "s3://plant/welds2", "s3://plant/welds/x"),
    *("s3://plant", "s3://plant/", "s3://b//x", "s3://b/x//", "s3://b/../x", "s3://b/.x/..y", "s3://b/...", "s3://b/."),
    *("file:///a", "file:///a/", "file://localhost/a", "file://host/a", "file:/a", "file:a", "S3://b/x", "s3a://b/x"),
    *("gcs://b", "http://b/x", "HTTPS://x", "nfs://b/x", "c:\\x", "/a", "a/b", "~/x", "./a:b", "x:y", "s3:/b", "s3:b"),
    *("s3://k:v@b/x", "s3://b/@", "$X", "s3://${B}/x", "s3://b/{{x}}", "s3://b/\u00a0", "s3://b/\u200b", "s3://b/ü ö"),
    *("s3://b/\n", "s3://b/x\ty", "s3:///x", "s3://-b/x", "az://c/p", "gs://x.y_z/p?q#r", "abfs://c/p"),
    *("#fff", "#ffffff", "#GGGGGG", "a" * 64, "A" * 64, "0.5", "1", "2.60.0", "2.60", "v1.2.3", "1.2.3.4"),
    *("timm/resnet18", "timm/", "timm/a.b-c", "TIMM/x", "package:efficientnet-lite0", "registry/x:1", "Registry/x"),
    *("64Mi", "63Mi", "1e3", "1E", "10E", "100E", "1.5", "1500m", "2000m", "0", "00", "0.0", "-1", "+1", "1 Gi", "1gi"),
    *("4", "9" * 32, "1" * 33, "SELECTION_X", "HF_TOKEN", "hf_token", "A_B", "9A", "A-B", "secret", "x_KEY", "API_KEY"),
)
_NUMBERS: Final = (
    *(0, 1, -1, 2, 59, 60, 100, 101, 1000, 1001, 4096, 4097, 2**31, 2**32, 2**53, 10**9, 10**10, 2**63 - 1, 2**63),
    *(10**20, 0.5, 1.5, 0.1, 100.5, 1e-5, 1e-9, 1e-10, 0.123456789, 0.1234567891, 99.9999999999, -0.5),
)
_OTHERS: Final[tuple[object, ...]] = (
    *(True, False, [], {}, [1], [0, 1], [1, 0], [1, 1], [0.5, 1], ["a", "b"], [[]], {"a": 1}, {"spec": {}}),
    *({"spec": []}, {"metadata": {}, "spec": {"x": 1}}, {"count": 5}, {"percent": 5}, {"name": "a"}, [{}]),
    *([{"name": "a"}, {"name": "a"}], {"cpu": 1, "memory": "1Gi"}, {"cpu": "1", "memory": "1Gi", "a.b/c": 0}),
)
_LISTS: Final = ("workers", "env", "envFrom", "imagePullSecrets")


def _fields() -> Iterator[paths.Path]:
    for path, _ in grammar.all_fields():
        if len(path) > 1 and path[0] == "spec" and "configMapRef" not in path and "valueFrom" not in path[:-1]:
            yield tuple(_with_positions(path))
    for pods in (("head",), ("workers", 0)):
        for resource in ("cpu", "memory", "nvidia.com/gpu", "amd.com/gpu", "odd name"):
            yield ("spec", "cluster", *pods, "resources", resource)


def _with_positions(path: paths.Path) -> Iterator[paths.Step]:
    """The path of the first entry wherever it goes through a list."""
    for depth, step in enumerate(path):
        yield step
        if step in _LISTS and path[1] in ("cluster", "runtime") and depth < len(path) - 1:
            yield 0


_FIELDS: Final = tuple(_fields())


def draw(draws: random.Random) -> dict[str, object]:
    """One manifest."""
    block = draws.choice([{}, _EVERY_BLOCK, _EVERY_BLOCK, EMBEDDINGS])
    made = cluster_manifest(block)
    field = draws.choice([field for field in _FIELDS if _exists(field, made)])
    value = draws.choice(draws.choice([_TEXTS, _TEXTS, _NUMBERS, _OTHERS]))
    set_field(made, field, value)
    return made


def _exists(field: paths.Path, content: object) -> bool:
    """Whether the entries of lists that a path goes through are there."""
    for step in field:
        if isinstance(step, int):
            if not isinstance(content, list):
                return False
            content = content[step]
        else:
            content = content.get(step, {}) if isinstance(content, dict) else {}
    return True
