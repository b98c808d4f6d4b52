"""Encoders: a backbone on its device, in its precision, that gives the same bits for the same batch.

CPU, CUDA and MPS take one path. Pixels are normalised here, so all that is specific to a model stays with it.
"""

from __future__ import annotations

import copy
import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from afray.api.embedding import Device, EmbeddingSpec, Precision
from afray.embedding import lite0
from afray.embedding.backbones import Backbone, load_backbone
from afray.embedding.determinism import deterministic_kernels, reserve_workspace
from afray.embedding.rules import DecodeRules
from afray.errors import EnvironmentFault

ENCODER_VERSION = 1
"""Raise it with every change of this module or of `lite0` that can move a bit of a vector."""

ResolvedPrecision = Literal["float32", "float16", "bfloat16"]
TYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}

CPU_CHUNK = 32
"""Images per pass on a CPU: their maps stay in cache (measured: 1.4 times faster than 256 at 64 pixels)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoder:
    """Images to vectors. One thread at a time; `encode` is the only thing it does."""

    name: str
    dim: int
    device: torch.device
    precision: ResolvedPrecision
    fingerprint: str
    """sha256 of the model's name, its weights and its preprocessing; the same on every device."""
    module: nn.Module
    mean: Tensor
    std: Tensor

    @property
    def device_class(self) -> str:
        """What the bits of vectors depend on besides precision and versions."""
        if self.device.type == "cuda":
            return f"cuda {torch.cuda.get_device_name(self.device)}"
        if self.device.type == "mps":
            return f"mps {platform.machine()}"
        return f"cpu {platform.machine()} {torch.backends.cpu.get_cpu_capability()}"

    def encode(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) float32 in [0, 1] on the CPU -> (B, dim) float32 on the CPU.

        Row i depends on image i, i and B alone.
        """
        chunk = CPU_CHUNK if self.device.type == "cpu" else len(images)
        with torch.inference_mode(), deterministic_kernels():
            return torch.cat([self._run(part) for part in torch.split(images, chunk)]).cpu()

    def _run(self, images: Tensor) -> Tensor:
        moved = images.to(self.device, non_blocking=True)
        normalised = (moved - self.mean).div_(self.std)
        features: Tensor = self.module(normalised.to(TYPES[self.precision], memory_format=torch.channels_last))
        return features.float()


def load_encoder(
    spec: EmbeddingSpec, *, expects_gpu: bool = False, environment: Mapping[str, str] | None = None
) -> Encoder:
    """The encoder of `spec.embedding` on this machine. `expects_gpu`: the worker asked for an NVIDIA GPU.

    Raises EnvironmentFault if there is no such device, and all that `load_backbone` raises.
    """
    device = choose_device(spec.device, available_devices(), expects_gpu=expects_gpu)
    if device.type == "cuda":
        reserve_workspace()
    return make_encoder(load_backbone(spec, environment), device, resolve_precision(spec.precision, device))


def make_encoder(backbone: Backbone, device: torch.device, precision: ResolvedPrecision) -> Encoder:
    """A copy of `backbone` made for inference; the backbone stays as it is."""
    module = copy.deepcopy(backbone.module).eval().requires_grad_(False)
    lite0.fuse(module)
    module.to(device, TYPES[precision]).to(memory_format=torch.channels_last)
    return Encoder(
        name=backbone.name,
        dim=backbone.dim,
        device=device,
        precision=precision,
        fingerprint=_fingerprint(backbone),
        module=module,
        mean=torch.tensor(backbone.mean, device=device).view(3, 1, 1),
        std=torch.tensor(backbone.std, device=device).view(3, 1, 1),
    )


def available_devices() -> frozenset[str]:
    """What torch can compute on here."""
    seen = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return frozenset({"cpu"} | {device for device, is_seen in seen.items() if is_seen})


def choose_device(wanted: Device, available: frozenset[str], *, expects_gpu: bool) -> torch.device:
    """The device that `spec.embedding.device` means. Raises EnvironmentFault if it is not to be had."""
    if wanted == "auto" and expects_gpu and "cuda" not in available:
        raise EnvironmentFault(
            "spec.embedding.device: auto, and the worker asks for nvidia.com/gpu, but torch sees no CUDA device. "
            "Repair the driver or the image, or set device: cpu if the CPU is meant"
        )
    chosen = next(device for device in ("cuda", "mps", "cpu") if device in available) if wanted == "auto" else wanted
    if chosen not in available:
        raise EnvironmentFault(
            f"spec.embedding.device: {chosen}, but torch {torch.__version__} sees no such device here. Set it to auto"
        )
    return torch.device(chosen)


def resolve_precision(wanted: Precision, device: torch.device) -> ResolvedPrecision:
    """float16 on CUDA and float32 elsewhere, unless the spec says so."""
    if wanted == "auto":
        return "float16" if device.type == "cuda" else "float32"
    return wanted


def fingerprint_embeddings(encoder: Encoder, rules: DecodeRules, *, index_digest: str, batch_size: int) -> str:
    """sha256 of all that decides the vectors of a pool, except the device class: that is noted per shard."""
    return _digest(
        {
            "encoder": encoder.fingerprint,
            "decode": rules.digest,
            "index": index_digest,
            "batch_size": batch_size,
            "precision": encoder.precision,
            "torch": torch.__version__,
        }
    )


def _fingerprint(backbone: Backbone) -> str:
    return _digest(
        {
            "version": ENCODER_VERSION,
            "model": backbone.name,
            "library": backbone.library,
            "weights": backbone.weights_digest,
            "mean": backbone.mean,
            "std": backbone.std,
        }
    )


def _digest(facts: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
