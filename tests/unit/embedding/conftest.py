"""Fixtures of the encoder tests: one miniature network in a file, and one thread as a worker has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from helpers.encoders import random_network
from torch import nn

from afray.embedding.determinism import pin_threads


@pytest.fixture(scope="session")
def resnet() -> nn.Module:
    return random_network("test_resnet")


@pytest.fixture(scope="session")
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
