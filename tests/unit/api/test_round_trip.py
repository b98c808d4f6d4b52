"""Whatever a job says, its manifest says the same, as JSON and as YAML."""

from __future__ import annotations

import json
from decimal import Decimal

import yaml
from helpers.manifests import CLUSTER, RUNTIME, WORKERS, manifest, problems_of
from hypothesis import given, settings
from hypothesis import strategies as st

from afray.api import grammar, paths
from afray.api.digest import spec_digest
from afray.api.loading import load, load_object
from afray.api.rules import Target

names = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)
keys = st.from_regex(r"[a-z0-9ü _-]{1,20}", fullmatch=True).map(str.strip).filter(bool)
folders = st.builds("{}://plant/{}".format, st.sampled_from(["s3", "gs", "az"]), keys) | keys.map("/data/{}".format)
digests = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
percents = st.decimals("0.000000001", "100", places=9)
labels = st.fixed_dictionaries({"uri": folders, "format": st.sampled_from(["csv", "parquet"])})


def auto_or(largest: int) -> st.SearchStrategy[object]:
    return st.just("auto") | st.integers(1, largest)


decode = st.fixed_dictionaries(
    {},
    optional={
        "pixelRange": st.none() | st.tuples(st.integers(-9, 9), st.floats(10, 1e6)).map(list),
        "background": st.from_regex(r"#[0-9a-fA-F]{6}", fullmatch=True),
        "maxPixels": st.integers(1, 10**10),
    },
)
budget = st.fixed_dictionaries({"count": st.integers(1, 10**9)}) | st.fixed_dictionaries(
    {"percent": percents.map(float) | st.floats(0.001, 100).map(lambda value: round(value, 3)) | st.integers(1, 100)}
)
core = (
    st.fixed_dictionaries({}, optional={"steps": auto_or(100_000), "rowsPerStep": auto_or(10**9), "size": st.just(1)})
    | st.fixed_dictionaries({"method": st.just("kmeans")}, optional={"size": st.just("auto")})
    | st.fixed_dictionaries({"method": st.just("given"), "uri": folders})
)
selection = st.fixed_dictionaries(
    {"budget": budget},
    optional={
        "core": core,
        "denoise": st.fixed_dictionaries({"removalRatio": st.floats(0, 0.99), "neighbours": st.integers(1, 1000)}),
        "boundary": st.fixed_dictionaries({"mode": st.sampled_from(["paper", "released"])}),
        "seed": st.integers(0, 2**32 - 1),
    },
)
optional_blocks = {
    "spec.pool.decode": decode,
    "spec.pool.labels": labels,
    "spec.pool.maxBadFraction": st.floats(0, 0.99),
    "spec.embedding.weights": st.fixed_dictionaries({"uri": folders, "sha256": digests}),
    "spec.embedding.normalize": st.sampled_from(["none", "l2", "standardize"]),
    "spec.finetune": st.fixed_dictionaries({}, optional={"epochs": st.integers(1, 10_000)}),
    "spec.labels": st.fixed_dictionaries(
        {"uri": folders, "format": st.sampled_from(["csv", "parquet", "label-studio"])}, optional={"sha256": digests}
    ),
    "spec.runtime": st.just(RUNTIME),
    "spec.cluster": st.just({**CLUSTER, "workers": [WORKERS]}),
    "spec.policy": st.fixed_dictionaries({}, optional={"ttlSecondsAfterFinished": st.integers(0, 1000)}),
    "metadata.labels": st.dictionaries(names, names, max_size=3),
}
changes = st.fixed_dictionaries(
    {"metadata.name": names, "spec.selection": selection, "spec.pool.uri": folders.map("{}/pool".format)},
    optional=optional_blocks,
)


@settings(deadline=None)  # the machine may be busy
@given(changes)
def test_a_job_survives_json_and_yaml(made: dict[str, object]) -> None:
    content = manifest({**made, "spec.output.uri": "s3://out/out"})
    job = load_object(content, "test", target=Target.run)
    written = job.to_manifest()
    as_json = load_object(json.loads(json.dumps(written)), "test", target=Target.run)
    as_yaml = load(yaml.safe_dump(written, allow_unicode=True), target=Target.run)
    assert as_json == as_yaml == job
    assert as_json.to_manifest() == written
    assert spec_digest(as_yaml) == spec_digest(job)


@settings(deadline=None)  # the machine may be busy
@given(percents)
def test_a_decimal_number_is_kept_exactly(percent: Decimal) -> None:
    job = load_object(manifest({"spec.selection.budget": {"percent": float(percent)}}), "test")
    assert job.spec.selection.budget.percent == percent
    assert load_object(job.to_manifest(), "test") == job


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
anything = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
places = st.sampled_from([paths.join(path) for path, _ in grammar.all_fields()])


@settings(deadline=None)  # the machine may be busy
@given(anything, places)
def test_nothing_that_yaml_can_hold_ends_in_another_error(value: object, field: str) -> None:
    for problem in problems_of(manifest({field: value})):
        assert problem.problem
        assert problem.remedy
