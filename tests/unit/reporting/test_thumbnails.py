import base64
import io

import numpy as np
import pytest
from PIL import Image

from afray.reporting import thumbnails


def test_a_large_picture_becomes_a_small_jpeg_that_keeps_its_shape() -> None:
    thumbnail = thumbnails.encode(np.full((3, 300, 600), 200, np.uint8))
    assert (thumbnail.media_type, thumbnail.width, thumbnail.height) == ("image/jpeg", 128, 64)
    assert Image.open(io.BytesIO(thumbnail.content)).size == (128, 64)


def test_a_tiny_picture_keeps_every_pixel() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 28, 28)).astype(np.uint8)
    thumbnail = thumbnails.encode(pixels)
    assert thumbnail.media_type == "image/png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(thumbnail.content))), pixels.transpose(1, 2, 0))


def test_float_pixels_run_from_black_to_white_and_are_clipped() -> None:
    pixels = np.array([[[0.0, 0.5, 1.0, 1.5]]] * 3, np.float32)
    thumbnail = thumbnails.encode(pixels)
    assert np.asarray(Image.open(io.BytesIO(thumbnail.content)))[0, :, 0].tolist() == [0, 128, 255, 255]


def test_the_same_pixels_give_the_same_bytes_as_a_data_uri() -> None:
    pixels = np.random.default_rng(0).random((3, 90, 90)).astype(np.float32)
    first, second = thumbnails.encode(pixels), thumbnails.encode(pixels)
    assert first == second
    assert first.data_uri == "data:image/jpeg;base64," + base64.b64encode(first.content).decode()


def test_pixels_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3, H, W\), not \(28, 28, 3\)"):
        thumbnails.encode(np.zeros((28, 28, 3), np.uint8))
