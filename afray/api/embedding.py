"""The block that says how rows become vectors."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from afray.api.block import Block
from afray.api.cel import Checked, Rule, matches
from afray.api.locations import File
from afray.api.problems import broken
from afray.api.texts import Sha256

Precision = Literal["auto", "float32", "float16", "bfloat16"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Normalize = Literal["none", "l2", "standardize"]
PACKAGED_MODELS = ("package:efficientnet-lite0",)
"""Models whose weights are installed with an extra; no hub is asked."""
_TIMM = r"timm/[A-Za-z0-9_]+(\.[A-Za-z0-9_.-]+)?"
KNOWN_MODEL = Rule(
    rule=matches(f"^({_TIMM}|{'|'.join(PACKAGED_MODELS)})$"),
    problem="is not a model that afray knows",
    remedy=f"Write timm/<name>, such as timm/vit_small_patch16_224.dino, or {', '.join(PACKAGED_MODELS)}.",
)


def check_model(model: str) -> str:
    """Return the model's name; raises a broken rule."""
    if model in PACKAGED_MODELS or re.fullmatch(_TIMM, model):
        return model
    bare = model.rsplit("/", 1)[-1].removeprefix("package:")
    for packaged in PACKAGED_MODELS:
        if bare.replace("_", "-").lower() in packaged:
            raise broken("", model, KNOWN_MODEL.problem, f"Did you mean {packaged}?")
    raise broken("", model, KNOWN_MODEL.problem, KNOWN_MODEL.remedy)


Model = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(check_model), Checked(KNOWN_MODEL)]


class WeightsSpec(Block):
    """The model's weights as a file of our own, in place of the hub's; loaded as tensors only, never as code."""

    uri: File
    """A torch state dict or a safetensors file."""
    sha256: Sha256
    """Digest of the file; other bytes are refused."""


class EmbeddingSpec(Block):
    """How rows become vectors. A pool of embeddings needs only `normalize` and `shardSize`."""

    model: Model | None = None
    """timm/<name> or package:efficientnet-lite0. Required unless the pool holds embeddings."""
    weights: WeightsSpec | None = None
    """Weights to load in place of the hub's."""
    image_size: int = Field(224, ge=16, le=4096)
    """Side of the square, in pixels, that the model sees."""
    batch_size: int = Field(256, ge=1, le=65_536)
    """Rows per step of the model."""
    shard_size: int = Field(10_000, ge=1, le=1_000_000)
    """Rows per unit of work: what is committed, resumed and lost at once. Ids never depend on it."""
    precision: Precision = "auto"
    """Arithmetic of the model. auto is float16 on CUDA and float32 elsewhere."""
    device: Device = "auto"
    """Where the model runs. cpu on a GPU worker says that it is meant."""
    normalize: Normalize = "standardize"
    """none; l2 (rows of length 1, as in the paper); standardize (each dimension over the pool, then l2)."""
