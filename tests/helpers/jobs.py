"""Tiny real jobs: pools on disk, manifests as users write them, and runs in this process on the Ray session at hand.

Image jobs use a real network; embedding jobs are for where pixels do not matter, and much faster.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from helpers.labelled import blobs
from helpers.manifests import manifest
from helpers.pools import parquet_bytes, vector_column
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from afray.api import paths
from afray.api.job import SelectionJob
from afray.api.loading import load_object
from afray.api.uris import resolve_uris
from afray.driver.jobs import run_job
from afray.driver.progress import Bar
from afray.driver.workspace import RunSettings
from afray.errors import AfrayError
from afray.reporting.report import Report
from afray.storage.claims import Owner
from afray.storage.commits import committed
from afray.storage.store import Store

Manifest = dict[str, object]
IMAGES, VECTORS = 240, 600
CLASSES = ("disc", "stripes")


def write_embeddings(folder: Path, count: int = VECTORS, *, seed: int = 0) -> Path:
    """Write a pool of vectors of six kinds, row-00000 and so on."""
    folder.mkdir(parents=True)
    columns = {"id": row_ids(count), "embedding": vector_column(blobs(count, classes=6, noise=0.8, seed=seed).vectors)}
    (folder / "vectors.parquet").write_bytes(parquet_bytes(columns))
    return folder


def row_ids(count: int) -> list[str]:
    """The ids of `write_embeddings`."""
    return [f"row-{number:05d}" for number in range(count)]


def embeddings_manifest(pool: Path, output: Path | str, **selection: object) -> Manifest:
    """40 cores and 20 boundary rows of a pool of vectors, or what `selection` says instead."""
    chosen = {"budget": {"count": 60}, "core": {"size": 40, "steps": 20}, **selection}
    return manifest(
        {
            "spec.pool": {"uri": str(pool), "format": "embeddings"},
            "spec.embedding": {"shardSize": 100},
            "spec.selection": chosen,
            "spec.output.uri": str(output),
        }
    )


def picture(number: int, *, seed: int = 0, side: int = 32) -> bytes:
    """A PNG of class `CLASSES[number % 2]` in random colours with noise."""
    rng = np.random.default_rng([seed, number])
    paper, ink = (tuple(int(level) for level in rng.integers(low, low + 80, 3)) for low in (20, 160))
    image = Image.new("RGB", (side, side), paper)
    draw = ImageDraw.Draw(image)
    if number % 2 == 0:
        radius = int(rng.integers(side // 5, side // 3))
        draw.ellipse((side // 2 - radius, side // 2 - radius, side // 2 + radius, side // 2 + radius), fill=ink)
    else:
        for left in range(int(rng.integers(0, 6)), side, 6):
            draw.rectangle((left, 0, left + 2, side), fill=ink)
    pixels = np.asarray(image) + rng.normal(scale=8, size=(side, side, 3))
    buffer = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def plain_id(number: int) -> str:
    """A row's place in one of three folders; with a blank."""
    return f"{number % 3}/image {number:04d}.png"


def odd_id(number: int) -> str:
    """The same with all that careless programs split, escape, recode or cut."""
    return f'{number % 3}/größe  {number:04d}, "%41" #日本.png'


def write_images(
    folder: Path, count: int = IMAGES, *, seed: int = 0, name: Callable[[int], str] = plain_id
) -> dict[str, str]:
    """Write images below a folder; returns label by id."""
    labels = {name(number): CLASSES[number % 2] for number in range(count)}
    for number, row_id in enumerate(labels):
        write_file(folder / row_id, picture(number, seed=seed))
    return labels


def images_manifest(pool: Path | str, output: Path | str) -> Manifest:
    """12 cores and 8 boundary rows of a pool of images, without labels."""
    return manifest(
        {
            "spec.pool": {"uri": str(pool), "format": "images", "maxBadFraction": 0.05},
            "spec.embedding": {
                "model": "package:efficientnet-lite0",
                "imageSize": 32,
                "batchSize": 16,
                "shardSize": 50,
            },
            "spec.selection": {"budget": {"count": 20}, "core": {"size": 12, "steps": 20}},
            "spec.output.uri": str(output),
        }
    )


def write_file(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def write_labels(path: Path, labels: Mapping[str, str]) -> Path:
    """A label file as spreadsheets write it: ids in quotes, quotes doubled."""
    rows = ('"{}",{}\n'.format(row_id.replace('"', '""'), label) for row_id, label in labels.items())
    path.write_text("id,label\n" + "".join(rows))
    return path


def write_manifest(path: Path, made: Manifest) -> Path:
    path.write_text(yaml.safe_dump(made, allow_unicode=True))
    return path


def changed(made: Manifest, changes: Mapping[str, object]) -> Manifest:
    """A copy of a manifest with fields set by their paths, such as spec.output.uri."""
    result = copy.deepcopy(made)
    for path, value in changes.items():
        *parents, last = map(str, paths.split(path))
        block = result
        for parent in parents:
            below = block.setdefault(parent, {})
            assert isinstance(below, dict)
            block = below
        block[last] = value
    return result


def parse(made: Manifest) -> SelectionJob:
    """The job of a manifest whose paths are absolute."""
    return resolve_uris(load_object(made, "test"), Path("/"))


@dataclass
class At:
    """`action` is called once, when a stage has come as far as `done` (of its `step`, where it has steps)."""

    stage: str
    action: Callable[[], object]
    step: str = ""
    done: int = 0
    happened: bool = False

    def look(self, stage: str, step: str, done: int) -> None:
        if not self.happened and (stage, step) == (self.stage, self.step) and done >= self.done:
            self.happened = True
            self.action()


@dataclass
class RecordingDisplay:
    """A display that nobody looks at: it remembers what was said, and lets things happen meanwhile."""

    events: list[At] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @contextmanager
    def bar(self, stage: str, total: int | None, unit: str) -> Iterator[Bar]:
        self.stages.append(stage)
        bar = _RecordingBar(self, stage)
        bar.update(0)
        yield bar

    def note(self, text: str) -> None:
        self.notes.append(text)

    def was_told(self, text: str) -> bool:
        """Whether any note holds this text."""
        return any(text in note for note in self.notes)


@dataclass
class _RecordingBar:
    display: RecordingDisplay
    stage: str

    def update(self, done: int, total: int | None = None, step: str = "") -> None:
        for event in self.display.events:
            event.look(self.stage, step, done)


def run(
    made: Manifest, *, workers: int = 1, display: RecordingDisplay | None = None, owner: Owner | None = None
) -> Report:
    """`afray run` in this process; runs of one `owner` are attempts of one job. Each worker costs CPU-seconds."""
    settings = RunSettings(workers=workers, owner=owner or Owner.of_run())
    return run_job(parse(made), settings, display or RecordingDisplay())


@dataclass(frozen=True, kw_only=True)
class FinishedJob:
    """A job that ran to its end, to compare others with."""

    manifest: Manifest
    report: Report

    @property
    def pool(self) -> Path:
        return Path(parse(self.manifest).spec.pool.uri.removeprefix("file://"))

    @property
    def output(self) -> Path:
        return Path(parse(self.manifest).spec.output.uri.removeprefix("file://"))

    @property
    def digest(self) -> str:
        return self.report.selection_digest

    def elsewhere(self, output: Path | str, changes: Mapping[str, object] | None = None) -> Manifest:
        """The same job with another output, and other changes."""
        return changed(self.manifest, {"spec.output.uri": str(output), **(changes or {})})


def refused(
    made: Manifest,
    exit_code: int,
    *,
    workers: int = 1,
    display: RecordingDisplay | None = None,
    owner: Owner | None = None,
) -> str:
    """Run a job that must end with an error of this exit code; returns what it says."""
    with pytest.raises(AfrayError) as caught:
        run(made, workers=workers, display=display, owner=owner)
    assert caught.value.exit_code == exit_code, str(caught.value)
    return str(caught.value)


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def json_of(path: Path) -> dict[str, object]:
    """The object in a JSON file."""
    found: dict[str, object] = json.loads(path.read_text())
    return found


def commit_epochs(output: Path | str, folder: str = "") -> dict[str, int]:
    """The epoch of every commit below a folder of an output, by name."""
    store = Store.open(str(output))
    names = [entry.key.removesuffix(".ok") for entry in store.list(folder) if entry.key.endswith(".ok")]
    return {name: found.epoch for name in names if (found := committed(store, name))}


def vectors_of(output: Path | str) -> dict[str, str]:
    """sha256 of every row's stored vector by id, over all sets that an output has embedded."""
    store, found = Store.open(str(output)), dict[str, str]()
    for name in commit_epochs(output, "embeddings"):
        part = committed(store, name)
        assert part is not None
        vectors: NDArray[np.float32] = np.load(io.BytesIO(store.read(part.blobs["vectors.npy"].key)))
        rows = pq.read_table(io.BytesIO(store.read(part.blobs["rows.parquet"].key)))
        digests = (hashlib.sha256(vector.tobytes()).hexdigest() for vector in vectors)
        found.update(zip(rows["id"].to_pylist(), digests, strict=True))
    return found
