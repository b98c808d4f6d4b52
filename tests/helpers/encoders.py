"""Encoders small enough for tests: timm's miniature networks with weights in a file, and networks of a few lines."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from afray.api.embedding import EmbeddingSpec, WeightsSpec
from afray.embedding.backbones import Backbone
from afray.embedding.encoders import Encoder, make_encoder


def random_network(name: str, seed: int = 0) -> nn.Module:
    """A timm network with its classifier, random weights and random batch statistics."""
    torch.manual_seed(seed)
    network: nn.Module = timm.create_model(name, pretrained=False).eval()
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean = torch.randn(part.num_features) * 0.1
            part.running_var = torch.rand(part.num_features) + 0.5
    return network


def spec_of(model: str, file: Path, image_size: int = 32, **options: object) -> EmbeddingSpec:
    """The embedding block for weights in a file."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    weights = WeightsSpec(uri=f"file://{file}", sha256=digest)
    return EmbeddingSpec.model_validate(
        {"model": model, "weights": weights, "image_size": image_size, "device": "cpu", **options}
    )


def random_images(count: int = 3, size: int = 32, seed: int = 0) -> Tensor:
    """(count, 3, size, size) in [0, 1], channels last as the loop makes them."""
    return torch.rand((count, size, size, 3), generator=torch.Generator().manual_seed(seed)).permute(0, 3, 1, 2)


class Pooled(nn.Module):
    """Two convolutions and a mean: enough to see which pixels went in."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first = nn.Conv2d(3, 8, 3, 2, 1)
        self.second = nn.Conv2d(8, 12, 3, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.second(torch.relu(self.first(images)))
        return maps.mean((2, 3))


class Applied(nn.Module):
    """Any function as a network."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, images: Tensor) -> Tensor:
        return self.function(images)


def tiny_backbone(module: nn.Module | None = None, dim: int = 12) -> Backbone:
    return Backbone(
        name="test/tiny",
        module=module or Pooled(),
        dim=dim,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        weights_digest="0" * 64,
        library="tests 1",
    )


def tiny_encoder(module: nn.Module | None = None, dim: int = 12) -> Encoder:
    return make_encoder(tiny_backbone(module, dim), torch.device("cpu"), "float32")
