"""Certificates for tests, all digests recognisable by their first digit."""

from __future__ import annotations

from afray.reporting.certificate import (
    Certificate,
    CodeFacts,
    DecodeFacts,
    EmbeddedShard,
    EmbeddingFacts,
    IndexFacts,
    ModelFacts,
)
from afray.reporting.facts import Funnel


def digest(digit: str) -> str:
    """A digest of one repeated hex digit."""
    return digit * 64


def make_certificate() -> Certificate:
    """A complete certificate of a run over two shards."""
    return Certificate(
        spec_digest=digest("1"),
        index=IndexFacts(digest=digest("2"), rows=150, shards=2),
        embedding=EmbeddingFacts(
            fingerprint=digest("3"),
            precision="float32",
            normalization="standardize",
            devices=("cpu",),
            shards=(
                EmbeddedShard(shard=0, rows=100, digest=digest("4"), device="cpu"),
                EmbeddedShard(shard=1, rows=50, digest=digest("5"), device="cpu"),
            ),
        ),
        model=ModelFacts(name="package:efficientnet-lite0", sha256=digest("6")),
        decode=DecodeFacts(image_size=64, pixel_range=(0.0, 4095.0), background="#ffffff", max_pixels=100_000_000),
        code=CodeFacts(afray="0.1.0", python="3.11.2", libraries={"torch": "2.15.0"}),
        seed=0,
        given_cores=None,
        counters=Funnel(listed=150, readable=149, unique=148, kept=134, selected=10),
        outputs={"selection.parquet": digest("7"), "excluded.parquet": digest("8")},
        selection_digest=digest("9"),
    )
