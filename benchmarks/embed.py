"""One process' embedding loop against what it is made of: model CPU-seconds and decode CPU-seconds per image.

    python benchmarks/embed.py                                   # synthetic 28 x 28 PNGs, EfficientNet-Lite0, 64 px
    python benchmarks/embed.py --images ~/.cache/afray/fashion-mnist/images --size 64 --count 10000

The bar: images per second of the loop >= 0.9 / (model + decode CPU-seconds per image), all of one run, one thread.
Model, loop and decoding are measured in short rounds, because the speed of a shared machine drifts; medians count.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from PIL import Image

from afray.api.embedding import EmbeddingSpec
from afray.embedding.decode import decode_image
from afray.embedding.determinism import pin_threads
from afray.embedding.encoders import Encoder, load_encoder
from afray.embedding.engine import embed_rows
from afray.embedding.rules import DecodeRules
from afray.pool.rows import ROW_SCHEMA


@dataclass(frozen=True)
class Files:
    """A RowReader over files, or over bytes in memory."""

    contents: list[bytes | Path]

    def read(self, position: int) -> bytes:
        content = self.contents[position]
        return content if isinstance(content, bytes) else content.read_bytes()


def synthetic_images(count: int) -> list[bytes | Path]:
    """Grey 28 x 28 PNGs, as smooth and as large as those of Fashion-MNIST."""
    rng = np.random.default_rng(0)
    contents: list[bytes | Path] = []
    for _ in range(count):
        coarse = Image.fromarray(np.clip(rng.normal(90, 80, (7, 7)), 0, 255).astype(np.uint8))
        buffer = io.BytesIO()
        coarse.resize((28, 28)).save(buffer, "PNG")
        contents.append(buffer.getvalue())
    return contents


def index_part(count: int) -> pa.Table:
    rows = [{"pool_id": n, "id": f"{n:08d}", "key": f"{n:08d}"} for n in range(count)]
    return pa.Table.from_pylist(rows, schema=ROW_SCHEMA)


@dataclass(frozen=True)
class Round:
    """CPU-milliseconds per image of model and decoding, each alone, and of the loop; and the loop by the clock."""

    model: float
    decode: float
    loop: float
    loop_wall: float
    waiting: float


def cpu_milliseconds(work: Callable[[], object], images: int) -> float:
    started = time.process_time()
    work()
    return (time.process_time() - started) / images * 1e3


def run_round(encoder: Encoder, contents: list[bytes | Path], rules: DecodeRules, batch: int, threads: int) -> Round:
    """One burst of each, so that a change in the speed of the machine meets all three alike."""
    reader, count = Files(contents), len(contents)
    images = torch.rand(batch, rules.image_size, rules.image_size, 3).permute(0, 3, 1, 2)

    def run_model() -> None:
        for _ in range(0, count, batch):
            encoder.encode(images)

    def run_decode() -> None:
        for position in range(count):
            content = reader.read(position)
            hashlib.sha256(content).hexdigest()
            decode_image(content, rules)

    model = cpu_milliseconds(run_model, -(-count // batch) * batch)
    timings = embed_rows(encoder, index_part(count), reader, rules, batch_size=batch, threads=threads).timings
    return Round(
        model=model,
        decode=cpu_milliseconds(run_decode, count),
        loop=timings.cpu_seconds / count * 1e3,
        loop_wall=timings.wall_seconds / count * 1e3,
        waiting=timings.waiting_seconds / timings.wall_seconds,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="folder of image files; synthetic ones without it")
    parser.add_argument("--model", default="package:efficientnet-lite0")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1, help="decode threads")
    options = parser.parse_args()

    pin_threads()
    if options.images:
        found: list[bytes | Path] = sorted(path for path in options.images.rglob("*") if path.is_file())
        contents = found[: options.count]
    else:
        contents = synthetic_images(options.count)
    spec = EmbeddingSpec(model=options.model, image_size=options.size, batch_size=options.batch, device="cpu")
    rules, encoder = DecodeRules(image_size=options.size), load_encoder(spec)
    per_round = len(contents) // options.rounds // options.batch * options.batch
    assert per_round > 0, "give more images, smaller batches or fewer rounds"
    chunks = [contents[n * per_round :][:per_round] for n in range(options.rounds)]
    run_round(encoder, chunks[0][: options.batch], rules, options.batch, options.threads)  # warm-up
    rounds = [run_round(encoder, chunk, rules, options.batch, options.threads) for chunk in chunks]

    def median(fact: Callable[[Round], float]) -> float:
        return statistics.median(map(fact, rounds))

    print(f"{options.model}, {options.size} px, {options.rounds} rounds of {per_round} images; medians")
    print(f"model  CPU-ms per image    {median(lambda r: r.model):.3f}")
    print(f"decode CPU-ms per image    {median(lambda r: r.decode):.3f}")
    print(f"loop   CPU-ms per image    {median(lambda r: r.loop):.3f}")
    print(f"loop   images per second   {median(lambda r: 1e3 / r.loop_wall):.1f}")
    print(f"loop / (model + decode)    {median(lambda r: (r.model + r.decode) / r.loop_wall):.3f}   bar 0.9, idle core")
    print(f"same, loop in CPU-seconds  {median(lambda r: (r.model + r.decode) / r.loop):.3f}   also on a busy core")
    print(f"loop / model               {median(lambda r: r.model / r.loop_wall):.3f}")
    print(f"waiting for pixels         {median(lambda r: r.waiting):.1%} of the loop's time")


if __name__ == "__main__":
    main()
