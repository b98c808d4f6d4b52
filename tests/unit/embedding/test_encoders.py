"""Encoders: device, precision, and what the bits of a vector must not depend on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.encoders import random_images, spec_of, tiny_backbone, tiny_encoder
from torch import Tensor

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
from afray.errors import EnvironmentFault


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
    backbone = load_backbone(spec_of("timm/test_resnet", resnet_file))
    full = make_encoder(backbone, torch.device("cpu"), "float32").encode(random_images())
    half = make_encoder(backbone, torch.device("cpu"), precision).encode(random_images())
    assert half.dtype == torch.float32
    assert not torch.equal(half, full)
    torch.testing.assert_close(half, full, rtol=0.05, atol=0.05)


def test_the_device_class_of_a_cpu_names_its_instructions() -> None:
    kind, machine, instructions = tiny_encoder().device_class.split(" ")
    assert kind == "cpu"
    assert machine
    assert instructions == torch.backends.cpu.get_cpu_capability()


@pytest.fixture(scope="module", params=["lite0", "resnet"])
def encoder(request: pytest.FixtureRequest, resnet_file: Path) -> encoders.Encoder:
    if request.param == "resnet":
        return load_encoder(spec_of("timm/test_resnet", resnet_file))
    return load_encoder(EmbeddingSpec(model="package:efficientnet-lite0", image_size=32, device="cpu"))


def test_a_row_does_not_depend_on_the_other_rows(encoder: encoders.Encoder) -> None:
    batch = random_images(40)
    others = batch.clone(memory_format=torch.preserve_format)
    others[1:7] = 0.0
    others[35:] = 1.0
    one, other = encoder.encode(batch), encoder.encode(others)
    kept = [0, *range(7, 35)]
    assert torch.equal(one[kept], other[kept])
    assert not torch.equal(one[1:7], other[1:7])


def test_encoding_leaves_the_images_as_they_are(encoder: encoders.Encoder) -> None:
    batch = random_images(5)
    encoder.encode(batch)
    assert torch.equal(batch, random_images(5))


def test_vectors_are_the_same_bits_from_another_thread(encoder: encoders.Encoder) -> None:
    def encode() -> Tensor:
        pin_threads()
        return encoder.encode(random_images(40))

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
    free = encoder.encode(random_images(40))
    with one_cpu():
        assert torch.equal(encoder.encode(random_images(40)), free)


def test_deterministic_kernels_leave_the_process_as_it_was() -> None:
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.allow_tf32
    with deterministic_kernels():
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.backends.cudnn.allow_tf32
    assert (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.allow_tf32) == before


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
