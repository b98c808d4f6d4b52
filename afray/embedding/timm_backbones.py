"""Models of the timm library, with weights from their hub or from a file of the user's.

A module of its own because importing timm takes seconds, which only those who name one of its models should pay.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping

import timm
import torch
from timm.models import PretrainedCfg
from torch import Tensor, nn

from afray.api.embedding import EmbeddingSpec
from afray.embedding import weights
from afray.embedding.backbones import MODEL_FIELD, Backbone
from afray.errors import EnvironmentFault, SpecError


def load_timm(spec: EmbeddingSpec, name: str, environment: Mapping[str, str] | None) -> Backbone:
    """The model `name` of timm; raises as `load_backbone` does."""
    _check_name(name)
    settings = timm.get_pretrained_cfg(name)
    # Only models that fix their input size take one; it moves their position embeddings.
    size = {"img_size": spec.image_size} if settings.fixed_input_size else {}
    network = _from_hub(name, size) if spec.weights is None else _untrained(spec, name, size)
    dim = _measure_dim(network.eval(), spec)
    if spec.weights is not None:
        tensors = weights.read_weights(spec.weights, environment)
        weights.load_into(network, _adapt(tensors, network, _classifiers(settings)), spec.weights.uri)
    return Backbone(
        name=f"timm/{name}",
        module=network,
        dim=dim,
        mean=settings.mean,
        std=settings.std,
        weights_digest=weights.digest_tensors(network.state_dict()),
        library=f"timm {timm.__version__}",
    )


def _check_name(name: str) -> None:
    architecture, _, tag = name.partition(".")
    known = timm.list_models()
    if architecture not in known:
        close = difflib.get_close_matches(architecture, known, n=3)
        remedy = f"Did you mean {', '.join(f'timm/{match}' for match in close)}?" if close else "See timm.list_models()"
        raise SpecError(MODEL_FIELD, f"timm/{name}", f"timm {timm.__version__} has no model of this name", remedy)
    tags = [listed.partition(".")[2] for listed in timm.list_pretrained(f"{architecture}.*")]
    if tag and tag not in tags:
        remedy = f"Take one of {', '.join(tags)}" if tags else f"Write timm/{architecture} and set {weights.FIELD}"
        raise SpecError(MODEL_FIELD, f"timm/{name}", f"timm knows no weights {tag!r} of this model", remedy)


def _from_hub(name: str, size: Mapping[str, int]) -> nn.Module:
    remedy = f"Put the weights where the workers can read them and set {weights.FIELD} and sha256"
    if not timm.list_pretrained(f"{name.partition('.')[0]}.*"):
        raise SpecError(MODEL_FIELD, f"timm/{name}", "no weights of this model are published", remedy)
    try:
        network: nn.Module = timm.create_model(name, pretrained=True, num_classes=0, **size)
    except OSError as error:
        raise EnvironmentFault(
            f"{MODEL_FIELD}: the weights of timm/{name} cannot be fetched from their hub "
            f"({type(error).__name__}). {remedy}"
        ) from error
    return network


def _untrained(spec: EmbeddingSpec, name: str, size: Mapping[str, int]) -> nn.Module:
    try:
        network: nn.Module = timm.create_model(name, pretrained=False, num_classes=0, **size)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise _refused_size(spec, error) from error
    return network


def _adapt(tensors: dict[str, Tensor], network: nn.Module, classifiers: tuple[str, ...]) -> dict[str, Tensor]:
    """Names and shapes as this version of timm wants them, without the classifiers.

    timm keeps the conversion of published checkpoints beside each architecture, by the name used here.
    """
    convert = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    try:
        adapted: dict[str, Tensor] = convert(tensors, network) if convert else dict(tensors)
    except Exception:  # tensors of another network; what is wrong with them comes out when they are loaded
        adapted = dict(tensors)
    for classifier in classifiers:
        adapted.pop(f"{classifier}.weight", None)
        adapted.pop(f"{classifier}.bias", None)
    return adapted


def _classifiers(settings: PretrainedCfg) -> tuple[str, ...]:
    names = settings.classifier or ()
    return (names,) if isinstance(names, str) else tuple(names)


def _measure_dim(network: nn.Module, spec: EmbeddingSpec) -> int:
    try:
        with torch.inference_mode():
            features = network(torch.zeros(1, 3, spec.image_size, spec.image_size))
    except (RuntimeError, AssertionError, ValueError) as error:
        raise _refused_size(spec, error) from error
    if features.ndim != 2:
        raise SpecError(MODEL_FIELD, spec.model, f"it gives {tuple(features.shape)}, not one vector", "Take another")
    return int(features.shape[1])


def _refused_size(spec: EmbeddingSpec, error: Exception) -> SpecError:
    problem = f"{spec.model} does not take images of this size ({error})"
    return SpecError("spec.embedding.imageSize", spec.image_size, problem, "Take the size that it was trained with")
