"""What the finetune trains on is what the embedding saw: the same pixels, through the same network."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.encoders import random_images, random_network, spec_of
from helpers.pools import OpenFence, PoolAt, write_images

from afray.embedding.decode import decode_image
from afray.embedding.encoders import load_encoder
from afray.embedding.rules import DecodeRules
from afray.errors import PoolError
from afray.evaluation import images
from afray.evaluation.images import StoredImages
from afray.evaluation.pretrained import PretrainedEncoder
from afray.pool.index import build_index
from afray.storage.store import Store

RULES = DecodeRules(image_size=8)
KEYS = [f"{number}.png" for number in range(6)]


@pytest.fixture
def source(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "pool"))


def stored(source: Store, tmp_path: Path) -> StoredImages:
    """Six images, of which numbers 1, 3, 4 and 5 have labels."""
    pool = PoolAt(source.uri, "images")
    part = build_index(pool, source, Store.open(str(tmp_path / "out")), 10, fence=OpenFence()).read_part(0)
    return StoredImages(
        labels=np.array(["a", "b", "a", "b"]),
        pool=pool,
        source=source,
        addresses=part.take([1, 3, 4, 5]),
        rules=RULES,
        field="spec.pool.uri",
    )


def test_images_are_read_by_their_place_among_the_labelled_ones(source: Store, tmp_path: Path) -> None:
    content = write_images(source, KEYS)
    read = stored(source, tmp_path).read(1, 3)
    for pixels, key in zip(read, ["3.png", "4.png"], strict=True):
        assert torch.equal(pixels, torch.from_numpy(decode_image(content[key], RULES).pixels.copy()))


def test_loaded_images_are_as_fine_as_their_files(source: Store, tmp_path: Path) -> None:
    write_images(source, KEYS)
    lazily = stored(source, tmp_path)
    loaded = images.load(lazily)
    assert loaded.labels.tolist() == ["a", "b", "a", "b"]
    assert (loaded.pixels.float() - lazily.read(0, 4)).abs().max() < 1 / 512


def test_a_reader_travels_to_another_process_also_after_it_was_used(source: Store, tmp_path: Path) -> None:
    write_images(source, KEYS)
    used = stored(source, tmp_path)
    expected = used.read(0, 4)
    assert torch.equal(pickle.loads(pickle.dumps(used)).read(0, 4), expected)


def test_an_image_that_changed_since_it_was_indexed_is_not_trained_on(source: Store, tmp_path: Path) -> None:
    content = write_images(source, KEYS)
    lazily = stored(source, tmp_path)
    source.overwrite("4.png", content["5.png"] + b"more")
    with pytest.raises(PoolError, match=r"spec\.pool\.uri: row '4\.png' of .* not any more \(changed: "):
        images.load(lazily)


def test_an_image_that_is_gone_is_named_with_what_to_do(source: Store, tmp_path: Path) -> None:
    write_images(source, KEYS)
    lazily = stored(source, tmp_path)
    source.delete("4.png")
    with pytest.raises(PoolError) as caught:
        images.load(lazily)
    assert caught.value.exit_code == 65
    assert f"spec.pool.uri: row '4.png' of {source.uri} has a label" in str(caught.value)
    assert "Restore it, or leave its label out of the label file; then run again" in str(caught.value)


def test_the_network_to_train_gives_the_features_of_the_embedding_and_can_learn(tmp_path: Path) -> None:
    file = tmp_path / "weights.pt"
    torch.save(random_network("test_efficientnet").state_dict(), file)
    spec = spec_of("timm/test_efficientnet", file)
    pixels = random_images()
    network = pickle.loads(pickle.dumps(PretrainedEncoder(spec)))()
    features = network(pixels)
    torch.testing.assert_close(features.detach(), load_encoder(spec).encode(pixels), rtol=1e-3, atol=1e-4)
    features.sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())
