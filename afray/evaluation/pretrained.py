"""The embedding's own model as something to train on: from pixels, normalisation included."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from afray.api.embedding import EmbeddingSpec
from afray.embedding.backbones import Backbone, load_backbone


class PixelEncoder(nn.Module):
    """images (B, 3, S, S) in [0, 1] -> features (B, D), with the backbone's weights as its own."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone.module
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(backbone.mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(backbone.std).view(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.backbone((images - self.mean) / self.std)
        return features


@dataclass(frozen=True, slots=True)
class PretrainedEncoder:
    """Makes the encoder of a spec, in this process or, pickled, in another."""

    spec: EmbeddingSpec

    def __call__(self) -> nn.Module:
        """Load the weights anew; raises what load_backbone raises."""
        return PixelEncoder(load_backbone(self.spec))
