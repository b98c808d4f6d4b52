"""The network that is finetuned: an encoder's own layers, then one new linear layer on its pooled features."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import skip_init

SMALLEST_SPREAD = 1e-5
"""Features that vary less than this over the labelled rows are left at their scale."""


class Classifier(nn.Module):
    """images (B, 3, S, S) float32 in [0, 1] -> scores (B, classes).

    The features are standardised by fixed statistics (`calibrate`) before the linear layer: an encoder's dimensions
    differ by orders of magnitude, and a few hundred steps would go into learning their scales.
    """

    def __init__(self, encoder: nn.Module, dim: int, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        # All zero: no class is preferred at the start, and no random number is drawn.
        self.head: nn.Linear = skip_init(nn.Linear, dim, classes)  # type: ignore[no-untyped-call]
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.centre: Tensor
        self.scale: Tensor
        self.register_buffer("centre", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(dim))

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.head((self.encoder(images) - self.centre) / self.scale)
        return scores

    def train(self, mode: bool = True) -> Classifier:
        """As usual, but batch normalisation keeps its running statistics: a few labels would only spoil them."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
        return self


def calibrate(model: Classifier, features: Tensor) -> None:
    """Standardise by the features (n, D) of the labelled rows under the untouched encoder."""
    model.centre.copy_(features.mean(0))
    spread = features.std(0, correction=0)
    model.scale.copy_(torch.where(spread > SMALLEST_SPREAD, spread, torch.ones_like(spread)))
