from __future__ import annotations

import io
import tarfile
import tracemalloc
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from helpers.pools import OpenFence, PoolAt, RecordingStore, png, tar_bytes, write_objects

from afray.errors import PoolError
from afray.pool.index import build_index
from afray.pool.listing import open_pool
from afray.pool.manifest import PoolIndex
from afray.storage.store import Store

END_MARK = bytes(2 * tarfile.BLOCKSIZE)


def build(source: Store, output: Store, shard_size: int = 100) -> PoolIndex:
    return build_index(PoolAt(source.uri, "webdataset"), source, output, shard_size, fence=OpenFence())


def rows(index: PoolIndex) -> list[dict[str, Any]]:
    return [row for number in range(index.shard_count) for row in index.read_part(number).to_pylist()]


def ids(index: PoolIndex) -> list[str]:
    return [row["id"] for row in rows(index)]


def bare_tar(members: Sequence[tuple[str, bytes]]) -> bytes:
    """A tar without its end mark: it ends with the padding of the last member."""
    content = tar_bytes(members, format=tarfile.USTAR_FORMAT)
    return content[: sum(512 + -(-len(data) // 512) * 512 for _, data in members)]


def test_samples_are_numbered_over_all_tars(any_source: Store, output: Store) -> None:
    first = tar_bytes([("b.png", png(1)), ("b.json", b"{}"), ("a/2.jpg", png(2)), ("a/2.cls", b"7")])
    write_objects(any_source, {"deep/0.tar": first, "1.TAR": tar_bytes([("a/10.png", png(3))])})

    index = build(any_source, output, shard_size=2)

    found = [(row["pool_id"], row["id"], row["key"], row["length"]) for row in rows(index)]
    assert found == [
        (0, "a/10", "1.TAR", len(png(3))),
        (1, "a/2", "deep/0.tar", len(png(2))),
        (2, "b", "deep/0.tar", len(png(1))),
    ]
    for row, content in zip(rows(index), [png(3), png(2), png(1)], strict=True):
        assert any_source.read_range(row["key"], row["offset"], len(content)) == content
    assert {row["size"] for row in rows(index) if row["key"] == "deep/0.tar"} == {len(first)}
    assert index.ignored == {".json": 1, ".cls": 1}


def test_the_id_is_the_path_up_to_the_first_dot_of_the_name(source: Store, output: Store) -> None:
    members = ["v1.2/0001.left.png", "0001.png", "./0002.png", "/abs/3.png", "a b/ä.v2.JPEG", "no-ending", "d/.png"]
    write_objects(source, {"0.tar": tar_bytes([(member, png(1)) for member in members])})

    index = build(source, output)

    assert ids(index) == sorted(["v1.2/0001", "0001", "./0002", "/abs/3", "a b/ä"])
    assert index.ignored == {"no suffix": 1, "hidden": 1}


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT], ids=["pax", "gnu"])
def test_long_names_are_read_in_both_ways_to_write_them(format: int, source: Store, output: Store) -> None:
    names = ["x" * 90 + "/" + "ü" * 120, "y" * 300]
    write_objects(source, {"0.tar": tar_bytes([(f"{name}.png", png(1)) for name in names], format=format)})

    index = build(source, output)

    assert ids(index) == names
    assert [source.read_range("0.tar", row["offset"], row["length"]) for row in rows(index)] == [png(1)] * 2


def test_links_folders_and_hidden_files_are_no_rows(source: Store, output: Store) -> None:
    buffer = io.BytesIO()
    kinds = [
        ("dir", tarfile.DIRTYPE),
        ("link.png", tarfile.SYMTYPE),
        ("hard.png", tarfile.LNKTYPE),
        ("sparse.png", tarfile.GNUTYPE_SPARSE),
    ]
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, kind in kinds:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "a.png"
            tar.addfile(member)
        for name in ("a.png", "._a.png", "__MACOSX/b.png"):
            member = tarfile.TarInfo(name)
            member.size = len(png(1))
            tar.addfile(member, io.BytesIO(png(1)))
    write_objects(source, {"0.tar": buffer.getvalue()})

    index = build(source, output)

    assert ids(index) == ["a"]
    assert index.ignored == {"links and special members": 3, "hidden": 2}


def test_two_images_of_one_sample_are_refused_by_name(source: Store, output: Store) -> None:
    write_objects(source, {"0.tar": tar_bytes([("a/1.png", png(1)), ("a/1.mask.png", png(2))])})

    with pytest.raises(PoolError, match=r"id 'a/1' is repeated: .*member a/1\.(mask\.)?png; .*member a/1\.") as error:
        build(source, output)
    assert "up to the first dot" in str(error.value)


def test_one_sample_in_two_tars_is_refused_by_name(source: Store, output: Store) -> None:
    for tar in ("0.tar", "1.tar"):
        write_objects(source, {tar: tar_bytes([("000.png", png(1))])})

    with pytest.raises(PoolError, match=r"id '000' is repeated: .*0\.tar, member 000\.png; .*1\.tar, member 000\.png"):
        build(source, output)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        ("no bytes", "empty file"),
        ("text", "invalid header|truncated header|bad checksum"),
        ("cut within a header", "no end mark at byte 2048|truncated"),
        ("cut within an image", "unexpected end of data"),
        ("cut between members", "no end mark at byte 2048"),
        ("damaged header", "no header at byte 2048"),
        ("joined", "data behind the end mark"),
    ],
)
def test_a_tar_whose_rows_nobody_knows_is_refused(damage: str, complaint: str, source: Store, output: Store) -> None:
    members = [("0.png", png(0)), ("1.png", png(1)), ("2.png", png(2))]
    whole, two = tar_bytes(members), bare_tar(members[:2])
    content = {
        "no bytes": b"",
        "text": b"not a tar at all\n" * 100,
        "cut within a header": whole[: len(two) + 100],
        "cut within an image": whole[: len(two) + 512 + 50],
        "cut between members": two,
        "damaged header": two + b"\x01" + whole[len(two) + 1 :],
        "joined": two + END_MARK + bare_tar(members[2:]) + END_MARK,
    }[damage]
    assert len(two) == 2048
    write_objects(source, {"good.tar": tar_bytes([("a.png", png(1))]), "bad.tar": content})

    with pytest.raises(PoolError, match=rf"bad\.tar: .*({complaint}).*write it again"):
        build(source, output)


@pytest.mark.parametrize("name", ["0.tar.gz", "0.tgz", "0.tar.zst"])
def test_a_compressed_tar_is_refused_with_the_remedy(name: str, source: Store, output: Store) -> None:
    write_objects(source, {name: b"x", "1.tar": tar_bytes([("a.png", png(1))])})

    with pytest.raises(PoolError, match=rf"{name}: rows of a compressed tar .*Unpack it"):
        build(source, output)


def test_a_name_that_is_not_utf8_is_refused(source: Store, output: Store) -> None:
    content = tar_bytes([("XX.png", png(1))], format=tarfile.USTAR_FORMAT).replace(b"XX.png", b"\xff\xfe.png", 1)
    checksum = sum(content[:148]) + sum(b" " * 8) + sum(content[156:512])
    content = content[:148] + f"{checksum:06o}\0 ".encode() + content[156:]
    write_objects(source, {"0.tar": content})

    with pytest.raises(PoolError, match="not UTF-8"):
        build(source, output)


def test_headers_alone_are_read_of_large_members(source: Store, output: Store) -> None:
    big = np.random.default_rng(0).bytes(3_000_000)
    write_objects(source, {"0.tar": tar_bytes([(f"{number}.png", big) for number in range(10)])})
    watched = RecordingStore.watch(source)

    assert build(watched, output).rows == 10
    assert sum(watched.bytes_read) < 1_000_000
    assert len(watched.requests) < 15


def test_small_members_share_requests(source: Store, output: Store) -> None:
    write_objects(source, {"0.tar": tar_bytes([(f"{number:04d}.png", png(number)) for number in range(2000)])})
    watched = RecordingStore.watch(source)

    assert build(watched, output).rows == 2000
    assert len(watched.requests) < 50


def test_a_single_tar_is_a_pool(source: Store, output: Store) -> None:
    write_objects(source, {"a.tar": tar_bytes([("1.png", png(1))]), "b.tar": tar_bytes([("2.png", png(1))])})
    pool = PoolAt(f"{source.uri}/a.tar", "webdataset")

    index = build_index(pool, open_pool(pool), output, 100, fence=OpenFence())

    assert ids(index) == ["1"]


def test_tars_without_an_image_are_an_empty_pool(source: Store, output: Store) -> None:
    write_objects(source, {"0.tar": tar_bytes([("1.json", b"{}"), ("2.txt", b"")])})

    with pytest.raises(PoolError, match=r"empty pool: .*webdataset.*ignored: 1 \.json, 1 \.txt"):
        build(source, output)


def test_a_tar_costs_memory_for_its_rows_and_not_for_its_headers(source: Store, output: Store) -> None:
    write_objects(source, {"0.tar": tar_bytes([(f"{number}.txt", b"") for number in range(5_000)] + [("a.png", b"")])})

    tracemalloc.start()
    build(source, output)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 2_000_000
