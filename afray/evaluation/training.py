"""One training of a classifier on labelled images: a plain torch loop, alone or as one of several replicas.

All replicas walk through the same shuffled rows and augmentations, each takes its share of every batch, and gradients
are summed over the whole batch: their number changes rounding and speed, and what dropout drops.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from afray.embedding import lite0
from afray.evaluation.augmentation import augment
from afray.evaluation.classifier import Classifier
from afray.evaluation.images import Images


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The recipe `full`: all weights are trained, batch normalisation keeps its statistics."""

    epochs: int
    seed: int = 0
    batch_size: int = 64
    encoder_rate: float = 1e-4
    """AdamW's learning rate of the pretrained layers; falls to 0 by half a cosine."""
    head_rate: float = 1e-3
    """The same of the new layer."""
    weight_decay: float = 0.01


def _itself(model: nn.Module) -> nn.Module:
    return model


def _alone(value: Any) -> list[Any]:
    return [value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """This process among those that train together, and how it meets the others."""

    rank: int = 0
    count: int = 1
    wrap: Callable[[nn.Module], nn.Module] = _itself
    """Makes backward() average the gradients of all replicas (DistributedDataParallel)."""
    gather: Callable[[Any], list[Any]] = _alone
    """One picklable value from each replica, by rank, at all of them."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))


ALONE = Replica()


@contextmanager
def seeded(device: torch.device, *numbers: int) -> Iterator[None]:
    """Give torch's generators a state that depends on `numbers` alone; put back the old one afterwards."""
    seed = int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def make_optimiser(model: Classifier, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW with one learning rate for the encoder, another for the head; groups in that order."""
    groups = [
        {"params": list(model.encoder.parameters()), "lr": recipe.encoder_rate},
        {"params": list(model.head.parameters()), "lr": recipe.head_rate},
    ]
    return torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)


def train_epoch(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    images: Tensor,
    targets: Tensor,
    *,
    epoch: int,
    recipe: Recipe,
    replica: Replica,
) -> float:
    """One pass of a model that `replica` wrapped over images (n, 3, S, S) and class numbers (n,).

    Returns this replica's share of the mean loss.
    """
    model.train()
    batches = torch.randperm(len(images)).tensor_split(math.ceil(len(images) / recipe.batch_size))
    loss = 0.0
    for number, rows in enumerate(batches):
        set_rates(optimiser, recipe, (epoch + number / len(batches)) / recipe.epochs)
        pixels = augment(images[rows].to(replica.device, torch.float32))[replica.rank :: replica.count]
        wanted = targets[rows[replica.rank :: replica.count]].to(replica.device)
        share = functional.cross_entropy(model(channels_last(pixels)), wanted, reduction="sum") / len(rows)
        optimiser.zero_grad()
        torch.autograd.backward(share * replica.count)  # the replicas' gradients are averaged; their sum is wanted
        optimiser.step()
        loss += share.item() * len(rows) / len(images)
    return loss


def set_rates(optimiser: torch.optim.Optimizer, recipe: Recipe, progress: float) -> None:
    """Learning rates at `progress` (0..1) of the training: half a cosine down to 0."""
    factor = 0.5 * (1 + math.cos(math.pi * progress))
    for group, rate in zip(optimiser.param_groups, (recipe.encoder_rate, recipe.head_rate), strict=True):
        group["lr"] = rate * factor


def predict(model: Classifier, images: Images, *, batch_size: int, replica: Replica) -> Tensor:
    """Class numbers (n,) int64 of all images, each batch on one replica."""
    fast = for_inference(model)
    total = len(images.labels)
    starts = range(0, total, batch_size)
    mine = [
        best_classes(fast, images.read(at, min(at + batch_size, total)), replica.device)
        for at in starts[replica.rank :: replica.count]
    ]
    everyone = replica.gather(mine)
    parts = [everyone[number % replica.count][number // replica.count] for number in range(len(starts))]
    return torch.cat(parts) if parts else torch.empty(0, dtype=torch.int64)


def for_inference(model: Classifier) -> Classifier:
    """A copy with its batch normalisations folded into the convolutions where that is possible: up to twice as fast."""
    fast = copy.deepcopy(model).eval()
    lite0.fuse(fast)
    return fast


def best_classes(model: Classifier, pixels: Tensor, device: torch.device) -> Tensor:
    """The best-scored class of each image (B, 3, S, S), ties to the first; on the CPU."""
    with torch.inference_mode():
        scores: Tensor = model(channels_last(pixels.to(device, torch.float32)))
    return scores.argmax(1).cpu()


def channels_last(images: Tensor) -> Tensor:
    """The memory layout in which convolutions run fastest (about 30 % on a CPU)."""
    return images.contiguous(memory_format=torch.channels_last)
