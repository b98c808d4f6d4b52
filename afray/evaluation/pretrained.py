"""The network that a finetune starts from: the embedding's model, pixels normalised inside, every weight free to move."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from afray.api.embedding import EmbeddingSpec
from afray.embedding.backbones import Backbone, load_backbone


class Pretrained(nn.Module):
    """images (B, 3, S, S) float32 in [0, 1] -> pooled features (B, D), differentiable."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.network = backbone.module
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(backbone.mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(backbone.std).view(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.network((images - self.mean) / self.std)
        return features


@dataclass(frozen=True, slots=True)
class PretrainedEncoder:
    """Makes the network anew on each call; picklable, so training workers load weights for themselves."""

    spec: EmbeddingSpec

    def __call__(self) -> nn.Module:
        return Pretrained(load_backbone(self.spec)).requires_grad_(True)
