"""Weight files: bytes from anywhere in storage to named tensors, and never to code.

Pickled objects are refused (`weights_only`), because a weight file is data that somebody else wrote.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Mapping

import safetensors.torch
import torch
from torch import Tensor, nn

from afray.api.embedding import WeightsSpec
from afray.errors import IntegrityError, SpecError
from afray.storage.store import locate

FIELD = "spec.embedding.weights.uri"
WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model", "teacher")
"""Keys under which training programs put the weights, the averaged ones first."""
PREFIXES = ("module.", "backbone.", "_orig_mod.")
SHOWN_NAMES = 5


def read_weights(spec: WeightsSpec, environment: Mapping[str, str] | None = None) -> dict[str, Tensor]:
    """Tensors of the weight file. Raises IntegrityError for other bytes than declared, SpecError for another content,
    and what storage raises."""
    store, key = locate(spec.uri, environment=environment)
    content = store.read(key)
    digest = hashlib.sha256(content).hexdigest()
    if digest != spec.sha256:
        raise IntegrityError(
            f"{spec.uri}: sha256 is {digest}, but spec.embedding.weights.sha256 says {spec.sha256}. "
            "Restore the file, or declare the digest of the weights that you mean"
        )
    return parse_tensors(content, spec.uri)


def parse_tensors(content: bytes, uri: str) -> dict[str, Tensor]:
    """Named tensors of a safetensors file or of a torch state dict, out of the wrappings of training programs."""
    try:
        if content[8:9] == b"{":
            return _strip_prefixes(safetensors.torch.load(content))
        loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # both readers raise anything at all on other files
        raise SpecError(
            FIELD,
            uri,
            f"this is neither a safetensors file nor a torch file of tensors alone ({type(error).__name__})",
            "Save the state dict: torch.save(model.state_dict(), path)",
        ) from error
    for wrapper in WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
            break
    tensors = loaded if isinstance(loaded, Mapping) else {}
    tensors = {str(name): value for name, value in tensors.items() if isinstance(value, Tensor)}
    if not tensors:
        raise SpecError(FIELD, uri, "the file holds no tensors", "Save the state dict of the model")
    return _strip_prefixes(tensors)


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], uri: str) -> None:
    """Load all parameters of `module`, no more and no fewer. Raises SpecError that names what does not fit."""
    wanted = module.state_dict()
    common = wanted.keys() & tensors.keys()
    problems = {
        "missing": wanted.keys() - common,
        "unexpected": tensors.keys() - common,
        "of another shape": {name for name in common if wanted[name].shape != tensors[name].shape},
    }
    if any(problems.values()):
        found = ", ".join(f"{len(names)} {kind} ({_some(names)})" for kind, names in problems.items() if names)
        remedy = "Give the weights of spec.embedding.model, or name the model that they are of"
        raise SpecError(FIELD, uri, f"the tensors are of another model: {found}", remedy)
    module.load_state_dict(tensors)


def _some(names: Collection[str]) -> str:
    return ", ".join(sorted(names)[:SHOWN_NAMES]) + (", ..." if len(names) > SHOWN_NAMES else "")


def digest_tensors(tensors: Mapping[str, Tensor]) -> str:
    """sha256 over name, type, shape and bytes of each tensor, in order."""
    digest = hashlib.sha256()
    for name, tensor in tensors.items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _strip_prefixes(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names without the prefixes that wrappers of models put before all of them."""
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors
