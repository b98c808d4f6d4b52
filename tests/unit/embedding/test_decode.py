"""Decoding against golden files and against arrays that the files were made of."""

from __future__ import annotations

import contextlib
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from helpers import image_files
from helpers.golden_images import BACKGROUND, FOLDER, SIDE, Golden, golden_images
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from afray.embedding.decode import DecodedImage, decode_image
from afray.embedding.rules import DecodeRules, parse_background
from afray.pool.rows import Reason, RowUnreadable

GOLDEN = {golden.name: golden for golden in golden_images()}
every_golden = pytest.mark.parametrize("golden", GOLDEN.values(), ids=GOLDEN.keys())

Float = NDArray[np.floating]


def rules_for(golden: Golden) -> DecodeRules:
    return DecodeRules(image_size=SIDE, background=BACKGROUND, pixel_range=golden.pixel_range)


def decode(data: bytes, size: int = SIDE) -> DecodedImage:
    return decode_image(data, DecodeRules(image_size=size))


def reason_of(data: bytes, rules: DecodeRules | None = None) -> Reason:
    with pytest.raises(RowUnreadable) as caught:
        decode_image(data, rules or DecodeRules(image_size=SIDE))
    return caught.value.reason


def saved(samples: NDArray[np.generic], kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, kind, **options)
    return buffer.getvalue()


@every_golden
def test_a_golden_file_gives_its_golden_pixels(golden: Golden) -> None:
    decoded = decode_image((FOLDER / golden.name).read_bytes(), rules_for(golden))
    expected = np.load(FOLDER / f"{golden.name}.npy")
    assert decoded.pixels.dtype == np.float32
    assert decoded.pixels.shape == (3, SIDE, SIDE)
    np.testing.assert_allclose(decoded.pixels, expected, rtol=0, atol=golden.tolerance)


def test_the_golden_folder_holds_what_its_writers_write() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {name + end for name in GOLDEN for end in ("", ".npy")}
    for golden in GOLDEN.values():
        np.testing.assert_array_equal(np.load(FOLDER / f"{golden.name}.npy"), golden.pixels.astype(np.float32))
        if not golden.name.endswith((".jpg", ".webp")):
            assert (FOLDER / golden.name).read_bytes() == golden.content


@pytest.mark.parametrize("name", ["animated.gif", "animated.png", "animated.webp"])
def test_an_animation_says_that_one_frame_was_taken(name: str) -> None:
    assert decode(GOLDEN[name].content).remarks == ("the first of several frames is used",)


def test_a_still_image_has_no_remarks() -> None:
    for name in ("rgb.png", "l.jpg", "16.png", "p.png", "16-big.tif"):
        assert decode(GOLDEN[name].content).remarks == ()


def test_a_16_bit_ramp_keeps_its_levels() -> None:
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    pixels = decode(image_files.png(ramp, image_files.GREY, bits=16), size=256).pixels
    assert len(np.unique(pixels)) == 65536
    np.testing.assert_array_equal(pixels[0], (ramp / 65535).astype(np.float32))


def test_values_outside_the_declared_range_are_clipped_and_told() -> None:
    ramp = np.linspace(-1, 2, 64, dtype=np.float32).reshape(8, 8)
    decoded = decode(image_files.tiff(ramp))
    np.testing.assert_allclose(decoded.pixels[0], np.clip(ramp, 0, 1), atol=0)
    assert decoded.remarks == ("66% of the pixels lie outside the range 0 to 1",)


def test_a_wide_image_never_leaves_the_unit_range_by_resizing() -> None:
    steps = np.kron(np.eye(4, dtype=np.uint16) * 65535, np.ones((5, 5), dtype=np.uint16))
    pixels = decode(image_files.tiff(steps), size=33).pixels
    assert pixels.min() == 0.0
    assert pixels.max() == 1.0


def stored_for(upright: NDArray[np.generic], orientation: int) -> NDArray[np.generic]:
    """What a camera stores so that a viewer who obeys `orientation` sees `upright` (EXIF 2.3, tag 0x0112)."""
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright),
        7: np.rot90(upright.swapaxes(0, 1), 2),
        8: np.rot90(upright, -1),
    }
    return np.ascontiguousarray(stored[orientation])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_exif_orientation_is_decoded_upright(orientation: int, order: image_files.Order) -> None:
    upright = image_files.photo(20, 12)
    stored = stored_for(upright, orientation)
    exif = image_files.exif_block(orientation, order)
    expected = decode(image_files.png(upright, image_files.RGB)).pixels
    files = [
        image_files.png(stored, image_files.RGB, exif=exif),
        image_files.tiff(stored, order, photometric=2, orientation=orientation),
        saved(stored, "WEBP", lossless=True, exif=exif),
    ]
    for content in files:
        decoded = decode(content)
        np.testing.assert_array_equal(decoded.pixels, expected)
        assert (decoded.width, decoded.height, decoded.orientation) == (12, 20, orientation)
        assert decoded.remarks == ()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_rotated_jpeg_is_decoded_upright(orientation: int) -> None:
    upright = np.kron(np.arange(0, 240, 40, dtype=np.uint8).reshape(3, 2), np.ones((16, 16), dtype=np.uint8))
    content = image_files.jpeg(stored_for(upright, orientation), exif=image_files.exif_block(orientation))
    decoded = decode(content, size=48)
    expected = decode(image_files.png(upright, image_files.GREY), size=48)
    np.testing.assert_allclose(decoded.pixels, expected.pixels, atol=2 / 255)
    assert (decoded.width, decoded.height) == (32, 48)


def test_a_rotated_16_bit_image_is_decoded_upright() -> None:
    upright = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    exif = image_files.exif_block(6)
    decoded = decode(image_files.png(stored_for(upright, 6), image_files.GREY, bits=16, exif=exif))
    np.testing.assert_array_equal(decoded.pixels[0], (upright / 65535).astype(np.float32))


@pytest.mark.parametrize(
    "exif",
    [
        b"rubbish",
        image_files.exif_block(9),
        image_files.exif_block(0),
        image_files.exif_block(6)[:17],
        b"II*\0\xff\xff\xff\xff",
    ],
)
def test_broken_exif_is_a_remark_and_never_a_failure(exif: bytes) -> None:
    upright = image_files.photo(8, 8)
    for content in (image_files.png(upright, image_files.RGB, exif=exif), image_files.jpeg(upright, exif=exif)):
        decoded = decode(content)
        assert decoded.orientation == 1
        (remark,) = decoded.remarks
        assert remark.startswith("the EXIF ")
        assert remark.endswith("the image is taken as upright")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "PPM", "WEBP", "TIFF"])
def test_a_truncated_file_is_told_as_such(kind: str) -> None:
    whole = saved(image_files.photo(40, 40), kind)
    assert decode(whole).width == 40
    for share in (0.5, 0.9):
        assert reason_of(whole[: int(share * len(whole))]) is Reason.truncated


def test_a_truncated_compressed_tiff_is_told_as_such() -> None:
    whole = saved(image_files.photo(40, 40), "TIFF", compression="tiff_lzw")
    assert decode(whole).width == 40
    assert reason_of(whole[: len(whole) // 2]) is Reason.truncated


def test_no_bytes_are_an_empty_row() -> None:
    assert reason_of(b"") is Reason.empty


@pytest.mark.parametrize(
    "data", [b"<html>404</html>", bytes(1000), b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"]
)
def test_what_is_not_an_image_says_so(data: bytes) -> None:
    assert reason_of(data) is Reason.not_an_image


def test_a_damaged_file_is_broken() -> None:
    damaged = bytearray(image_files.png(image_files.photo(8, 8), image_files.RGB))
    damaged[29] ^= 0xFF  # the checksum of the header
    assert reason_of(bytes(damaged)) is Reason.broken


def test_a_bomb_is_refused_by_its_header_alone() -> None:
    bomb = image_files.png(np.zeros((1, 1), dtype=np.uint8), image_files.GREY, claimed=(60_000, 60_000))
    with pytest.raises(
        RowUnreadable, match=r"60000 x 60000 .* more than 1000000; raise spec\.pool\.decode\.maxPixels"
    ) as caught:
        decode_image(bomb, DecodeRules(image_size=SIDE, max_pixels=1_000_000))
    assert caught.value.reason is Reason.too_large


def test_an_image_of_exactly_the_limit_is_read() -> None:
    content = image_files.png(image_files.photo(10, 20), image_files.RGB)
    assert decode_image(content, DecodeRules(image_size=SIDE, max_pixels=200)).width == 20
    assert reason_of(content, DecodeRules(image_size=SIDE, max_pixels=199)) is Reason.too_large


def test_32_bit_integers_need_a_declared_range() -> None:
    with pytest.raises(RowUnreadable, match=r"declare spec\.pool\.decode\.pixelRange") as caught:
        decode(GOLDEN["32-little.tif"].content)
    assert caught.value.reason is Reason.unsupported_mode


def test_pixels_of_unknown_kinds_are_unsupported() -> None:
    three_floats = image_files.tiff(np.zeros((8, 8, 3), dtype=np.float32), photometric=2)
    lab = image_files.tiff(image_files.photo(8, 8), photometric=8)
    assert reason_of(three_floats) is Reason.unsupported_mode
    assert reason_of(lab) is Reason.unsupported_mode


def test_pixels_that_are_no_numbers_are_refused() -> None:
    pixels = np.zeros((8, 8), dtype=np.float32)
    pixels[3, 3] = np.nan
    assert reason_of(image_files.tiff(pixels)) is Reason.non_finite


@pytest.mark.parametrize("kind", ["JPEG2000", "AVIF", "BMP"])
def test_other_common_formats_are_read(kind: str) -> None:
    grey = np.repeat(image_files.photo(24, 32)[..., :1], 3, axis=2)  # AVIF halves the resolution of colours
    decoded = decode(saved(grey, kind, quality=100), size=16)
    expected = decode(image_files.png(grey, image_files.RGB), size=16)
    np.testing.assert_allclose(decoded.pixels, expected.pixels, atol=0.05)


def bicubic_weights(source: int, target: int) -> Float:
    """(target, source) weights of an antialiased bicubic filter, a = -0.5, edges renormalised."""
    scale = source / target
    support = max(scale, 1.0)
    centres = (np.arange(target) + 0.5) * scale
    x = np.abs((np.arange(source)[None] + 0.5 - centres[:, None]) / support)
    weights = np.where(x < 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x < 2, -0.5 * (x**3 - 5 * x**2 + 8 * x - 4), 0))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


@pytest.mark.parametrize(("height", "width", "size"), [(40, 70, 16), (9, 5, 24), (33, 17, 20)])
def test_the_whole_image_is_squashed_by_an_antialiased_bicubic_filter(height: int, width: int, size: int) -> None:
    photo = image_files.photo(height, width)
    vertical, horizontal = bicubic_weights(height, size), bicubic_weights(width, size)
    rows = np.einsum("hwc,jw->hjc", photo / 255, horizontal)
    expected = np.clip(np.einsum("ih,hjc->cij", vertical, rows), 0, 1)
    wide = decode(image_files.tiff((photo[..., 0] / 255).astype(np.float32)), size=size)
    np.testing.assert_allclose(wide.pixels[0], expected[0], atol=1e-5)
    in_bytes = np.clip(np.einsum("ih,hjc->cij", vertical, np.clip(rows, 0, 1)), 0, 1)
    narrow = decode(image_files.png(photo, image_files.RGB), size=size)
    np.testing.assert_allclose(narrow.pixels, in_bytes, atol=1.5 / 255)


def test_decoding_gives_the_same_pixels_from_many_threads() -> None:
    files = [golden.content for golden in GOLDEN.values() if golden.pixel_range == "dtype"] * 8
    alone = [decode(content, size=24).pixels for content in files]
    with ThreadPoolExecutor(8) as threads:
        together = [decoded.pixels for decoded in threads.map(lambda content: decode(content, size=24), files)]
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(GOLDEN)), st.data())
def test_damage_of_any_kind_gives_pixels_or_a_quarantined_row(name: str, data: st.DataObject) -> None:
    content = bytearray(GOLDEN[name].content)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    with contextlib.suppress(RowUnreadable):
        decoded = decode_image(cut, DecodeRules(image_size=4, max_pixels=10_000))
        assert decoded.pixels.shape == (3, 4, 4)
        assert np.isfinite(decoded.pixels).all()


def test_the_digest_of_the_rules_covers_every_field() -> None:
    base = DecodeRules(image_size=8, background=(0, 0, 0), max_pixels=10)
    others = [
        replace(base, image_size=9),
        replace(base, pixel_range=(0.0, 1.0)),
        replace(base, background=(0, 0, 1)),
        replace(base, max_pixels=11),
    ]
    assert len({rules.digest for rules in [base, *others]}) == 5


def test_a_background_is_read_from_its_hexadecimal_form() -> None:
    assert parse_background("#ff8000") == (255, 128, 0)
