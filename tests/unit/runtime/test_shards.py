"""Rows on Ray workers: what they compute with is theirs, what they hold stays with them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import selections, synthetic

from afray.algorithms import bilaf
from afray.algorithms.clusters import BilafOptions, Setting, Tuning
from afray.algorithms.gemm import Compute
from afray.algorithms.methods import Method
from afray.algorithms.shards import F32, I64, RowSource, Shard
from afray.driver.selecting import choose_compute
from afray.embedding.normalization import Normalizer
from afray.runtime import footprint, probing
from afray.runtime import shards as on_ray
from afray.runtime.crew import Crew
from afray.runtime.features import FeatureFile
from afray.runtime.probing import Choice
from afray.runtime.session import ray_session
from afray.runtime.shards import RayShards
from afray.runtime.slots import Slot
from afray.runtime.vectors import VectorShard, pack
from afray.runtime.worker import WorkerContext
from afray.storage.commits import Blob
from afray.storage.store import Store

ROWS, SHARD_ROWS = 2500, 400
FEATURES = synthetic.make(ROWS, 20, dim=48)


def feature_file(folder: Path) -> FeatureFile:
    store = Store.open(folder.as_uri() + "/", environment=os.environ)
    stored = []
    for start in range(0, ROWS, SHARD_ROWS):
        vectors = FEATURES[start : start + SHARD_ROWS]
        content, key = pack(vectors), f"{start}.npy"
        store.create(key, content)
        blob = Blob(key, hashlib.sha256(content).hexdigest(), len(content))
        stored.append(VectorShard(store=store, blob=blob, kept=np.arange(len(vectors))))
    path = str(folder / "mapped" / "features")
    return FeatureFile(path=path, dim=48, shards=tuple(stored), normalizer=Normalizer(kind="none"))


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayShards]:
    with ray_session(2), Crew([Slot()] * 2) as crew:
        yield RayShards(crew, feature_file(tmp_path_factory.mktemp("features")))


@pytest.mark.ray
def test_rows_come_in_the_order_asked_for_and_the_driver_maps_none_of_them(shards: RayShards) -> None:
    rows = np.array([2499, 0, 1250, 1249, 7, 7, 2000])
    np.testing.assert_array_equal(shards.take(rows), FEATURES[rows])
    everything = np.random.default_rng(0).permutation(ROWS)
    np.testing.assert_array_equal(shards.take(everything), FEATURES[everything])
    maps = Path("/proc/self/maps")
    assert not maps.exists() or "mapped/features" not in maps.read_text()


@pytest.mark.ray
def test_workers_choose_a_product_each_and_the_rows_stay_the_same(
    shards: RayShards, caplog: pytest.LogCaptureFixture
) -> None:
    cores = np.sort(np.random.default_rng(0).choice(ROWS, 20, replace=False))
    with caplog.at_level("INFO"):
        compute = shards.choose_products(shards.fit(20))
    assert "matrix products: " in caplog.text
    assert compute.adapts
    assert compute.memory <= Compute().memory
    chosen = bilaf.select(shards, cores, 200, compute=compute)
    assert chosen.rows.tolist() == selections.select(FEATURES, cores, 200).rows.tolist()


@pytest.mark.ray
@pytest.mark.parametrize(
    ("method", "rows", "is_tried"), [("bilaf", ROWS, True), ("bilaf", 9, False), ("random", ROWS, False)]
)
def test_products_are_tried_out_where_there_is_much_to_propose(
    shards: RayShards, method: Method, rows: int, is_tried: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "WORTH_FLOPS", 2.0 * 10 * 20 * 48)
    assert choose_compute(shards, method, rows, centres=20).adapts == is_tried


def test_what_steps_freed_is_given_back_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, features, given = WorkerContext(), feature_file(tmp_path), []
    monkeypatch.setattr(footprint, "give_back", lambda: given.append(True))
    context.once(features.path, lambda: features)
    source = [features.path, None]
    for _ in range(3):
        assert on_ray._run_map(context, source, len_step, 0, 10) == 10
        assert len(on_ray._run_each(context, source, take_step, np.arange(3))) == 3
    assert len(given) == 1
    monkeypatch.setattr(footprint, "SWEEP_SECONDS", 0.0)
    on_ray._run_each(context, source, take_step, np.arange(3))
    assert len(given) == 2


def len_step(shard: Shard) -> int:
    return len(shard.features)


def take_step(rows: RowSource, wanted: I64) -> F32:
    return rows.take(wanted)


def test_a_worker_puts_its_own_choice_into_what_it_is_sent(tmp_path: Path) -> None:
    context, own = WorkerContext(), Compute(proposals="bfloat16", block=77)
    context.once(Choice, lambda: Choice(name="mine", compute=own, rates={}))
    features = feature_file(tmp_path)
    setting = Setting(options=BilafOptions(), tuning=Tuning(), compute=Compute(adapts=True))
    assert on_ray._adapt(context, features, Compute(adapts=True, certify=False)) == replace(own, certify=False)
    assert on_ray._adapt(context, features, setting).compute == own
    assert on_ray._adapt(context, features, Compute(block=3)) == Compute(block=3)
    assert on_ray._adapt(context, features, 5) == 5
