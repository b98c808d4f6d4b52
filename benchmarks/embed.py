"""One process' embedding loop against what it is made of: model CPU-seconds and decode CPU-seconds per image.

    python benchmarks/embed.py                                   # synthetic 28 x 28 PNGs, EfficientNet-Lite0, 64 px
    python benchmarks/embed.py --images ~/.cache/afray/fashion-mnist/images --size 64 --count 10000

The bar: images per second of the loop >= 0.9 / (model + decode CPU-seconds per image), all of one run, one thread.
The parts are measured before and after the loop, because the speed of a shared machine drifts; their mean counts.
"""

from __future__ import annotations

import argparse
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
from afray.embedding.determinism import pin_threads
from afray.embedding.encoders import Encoder, load_encoder
from afray.embedding.engine import embed_rows
from afray.embedding.feeding import decode_rows
from afray.embedding.rules import DecodeRules
from afray.pool.rows import ROW_SCHEMA

PARTS_SECONDS = 4.0
"""How long each part is measured, each time."""


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


def cpu_seconds_per_image(step: Callable[[], int]) -> float:
    """CPU-seconds of this process per image; `step` does some and says how many."""
    step()
    images, started = 0, time.process_time()
    while time.process_time() - started < PARTS_SECONDS:
        images += step()
    return (time.process_time() - started) / images


def measure_parts(encoder: Encoder, reader: Files, rules: DecodeRules, batch_size: int) -> tuple[float, float]:
    """Model and decode CPU-seconds per image, each alone."""
    batch = torch.rand(batch_size, rules.image_size, rules.image_size, 3).permute(0, 3, 1, 2)
    slots = np.empty((min(256, len(reader.contents)), rules.image_size, rules.image_size, 3), np.float32)
    model = cpu_seconds_per_image(lambda: len(encoder.encode(batch)))
    decode = cpu_seconds_per_image(lambda: len(decode_rows(reader, rules, range(len(slots)), slots)[0]))
    return model, decode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="folder of image files; synthetic ones without it")
    parser.add_argument("--model", default="package:efficientnet-lite0")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1, help="decode threads")
    options = parser.parse_args()

    pin_threads()
    if options.images:
        found: list[bytes | Path] = sorted(path for path in options.images.rglob("*") if path.is_file())
        contents = found[: options.count]
    else:
        contents = synthetic_images(options.count)
    spec = EmbeddingSpec(model=options.model, image_size=options.size, batch_size=options.batch, device="cpu")
    reader, rules = Files(contents), DecodeRules(image_size=options.size)
    encoder = load_encoder(spec)

    before = measure_parts(encoder, reader, rules, options.batch)
    timings = embed_rows(
        encoder, index_part(len(contents)), reader, rules, batch_size=options.batch, threads=options.threads
    ).timings
    after = measure_parts(encoder, reader, rules, options.batch)

    model, decode = (statistics.fmean(pair) for pair in zip(before, after, strict=True))
    rate = timings.rows / timings.wall_seconds
    print(f"images                     {timings.rows} of {options.size} px, batch {options.batch}, 1 core")
    print(f"model  CPU-ms per image    {model * 1e3:.3f}   (before {before[0] * 1e3:.3f}, after {after[0] * 1e3:.3f})")
    print(f"decode CPU-ms per image    {decode * 1e3:.3f}   (before {before[1] * 1e3:.3f}, after {after[1] * 1e3:.3f})")
    print(f"loop   CPU-ms per image    {timings.cpu_seconds / timings.rows * 1e3:.3f}")
    print(f"loop   images per second   {rate:.1f}")
    print(f"of 1 / (model + decode)    {rate * (model + decode):.3f}   bar 0.9, on an idle core")
    print(
        f"same in CPU-seconds        {(model + decode) / (timings.cpu_seconds / timings.rows):.3f}   also on a busy one"
    )
    print(f"of 1 / model               {rate * model:.3f}")
    print(f"waiting for pixels         {timings.waiting_seconds / timings.wall_seconds:.1%} of the time")


if __name__ == "__main__":
    main()
