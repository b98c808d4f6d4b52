"""The data of the rounds' benchmark are read without running anything of them, and parted without mixing people."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from helpers.repository import ROOT
from PIL import Image
from testbed.steps import StepFailed


@pytest.fixture(autouse=True)
def _benchmarks_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")


@pytest.mark.parametrize("named", [os.system, eval, np.load, pickle.loads], ids=lambda named: named.__name__)
def test_a_pickle_that_asks_for_more_than_tables_of_numbers_is_refused(named: object) -> None:
    from rounds import hapt

    with pytest.raises(pickle.UnpicklingError, match="which is no table of numbers"):
        hapt.Reader(io.BytesIO(pickle.dumps(named))).load()


def test_windows_are_of_one_activity_each() -> None:
    from rounds import hapt

    activity = np.repeat([1, 2, -1, 2], [200, 190, 64, 128])
    table = hapt.Table()
    signal = np.arange(6 * len(activity), dtype=float).reshape(6, -1)
    table.state = {"_data": hapt.Table()}
    table.state["_data"].state = ([], [signal, np.stack([np.arange(len(activity)), activity])])
    found = list(hapt.windows(table))
    # From 0 and 64 (1), from 256 (2), and from 448 on nothing whole is left of the last 2.
    assert [label for _, label in found] == ["1", "1", "2"]
    assert np.array_equal(found[1][0], signal[:, 64:192])


def test_random_convolutions_are_the_same_again() -> None:
    from rounds import hapt

    signals = np.random.default_rng(0).standard_normal((5, 6, hapt.WINDOW)).astype(np.float32)
    vectors = hapt.convolve(signals)
    assert vectors.shape == (5, 768)
    assert np.isfinite(vectors).all()
    assert np.array_equal(vectors, hapt.convolve(signals))


def test_no_group_is_on_both_sides_of_a_split() -> None:
    from rounds.samples import Samples

    groups = np.repeat(np.arange(30), 4)
    samples = Samples(
        vectors=groups[:, None].astype(np.float32), labels=np.array([str(group) for group in groups]), groups=groups
    )
    sides = [samples.split(seed, 0.3) for seed in (0, 0, 1)]
    assert [(len(pool.labels), len(heldout.labels)) for pool, heldout in sides] == [(84, 36)] * 3
    assert not any({*pool.labels} & {*heldout.labels} for pool, heldout in sides)
    held_out = [frozenset(heldout.labels) for _, heldout in sides]
    assert held_out[0] == held_out[1] != held_out[2]


def test_drawings_stand_on_white_and_copies_and_folders_without_a_topic_are_left_out(tmp_path: Path) -> None:
    from rounds import openclipart

    drawing = Image.new("RGBA", (300, 100), (255, 0, 0, 255))
    drawing.paste((0, 0, 0, 0), (0, 0, 150, 100))
    for name in ("animals/birds/a.png", "animals/birds/small/copy.png", "special/b.png", "shapes/stars/c.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        drawing.save(path)
    drawing.resize((30, 10)).save(tmp_path / "animals/birds/small/d.png")
    found = list(openclipart._distinct(tmp_path))
    assert [(path.name, topic) for path, topic in found] == [("a.png", "animals/birds"), ("d.png", "animals/birds")]
    pixels = openclipart.draw(found[0][0])
    assert pixels.shape == (128, 128, 3)
    assert pixels[64, 32].tolist() == pixels[5, 96].tolist() == [255, 255, 255]
    assert pixels[64, 96].tolist() == [255, 0, 0]


def test_other_bytes_than_those_of_the_tables_are_refused(tmp_path: Path) -> None:
    from rounds import packages

    (tmp_path / "package.deb").write_bytes(b"another")
    with pytest.raises(StepFailed, match=r"package\.deb has sha256 .*, that of 1:0\.18"):
        packages.require(tmp_path / "package.deb", packages.OPENCLIPART)
