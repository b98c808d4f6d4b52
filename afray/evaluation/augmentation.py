"""Light augmentation: a mirrored image and one moved by a few pixels still show the same thing."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

MOVE = 16
"""Images move by up to 1/16 of their side; what is moved out is mirrored in."""


def augment(images: Tensor) -> Tensor:
    """Flip each image (B, 3, S, S) sideways or not and move it, by torch's global generator (seeded by the caller).

    Drawn on the CPU, so that a GPU sees the same images.
    """
    count, side = len(images), images.shape[-1]
    reach = max(1, side // MOVE)
    is_flipped = torch.rand(count) < 0.5
    offsets = torch.randint(0, 2 * reach + 1, (count, 2)).tolist()
    flipped = torch.where(is_flipped.to(images.device)[:, None, None, None], images.flip(-1), images)
    padded = functional.pad(flipped, (reach,) * 4, mode="reflect")
    return torch.stack(
        [image[:, top : top + side, left : left + side] for image, (top, left) in zip(padded, offsets, strict=True)]
    )
