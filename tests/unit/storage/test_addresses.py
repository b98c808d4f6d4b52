from __future__ import annotations

from pathlib import Path

import pytest

from afray.storage import addresses
from afray.storage.faults import InvalidAddress
from afray.storage.store import Store, locate


@pytest.mark.parametrize(
    ("uri", "root"),
    [
        ("/data/my pool", "/data/my pool"),
        ("/data/100%20/x", "/data/100%20/x"),
        ("file:///data/my%20pool/", "/data/my pool"),
        ("file://localhost/data", "/data"),
        ("file:///data/a#1?b", "/data/a#1?b"),
    ],
)
def test_a_folder_is_named_by_a_plain_path_or_by_an_escaped_uri(uri: str, root: str) -> None:
    assert Path(addresses.parse(uri).root) == Path(root)


def test_a_relative_path_means_the_folder_where_the_command_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store.open("pool")
    monkeypatch.chdir("/")
    store.create("a", b"1")
    assert (tmp_path / "pool" / "a").read_bytes() == b"1"


@pytest.mark.parametrize(
    ("uri", "canonical"),
    [
        ("s3://plant/welds/", "s3://plant/welds"),
        ("s3://plant", "s3://plant"),
        ("s3://plant/", "s3://plant"),
        ("s3://plant/a b/100%/ü#?", "s3://plant/a b/100%/ü#?"),
        ("gs://plant/x", "gs://plant/x"),
        ("az://plant/x", "az://plant/x"),
        ("/data/my pool/", "file:///data/my%20pool"),
    ],
)
def test_an_address_has_one_canonical_spelling_that_opens_the_same_place(uri: str, canonical: str) -> None:
    assert Store.open(uri).uri == canonical
    assert Store.open(canonical).uri == canonical


@pytest.mark.parametrize(
    "uri", ["", "ftp://host/x", "s3://", "s3:///x", "s3://a b/x", "s3://plant//x", "s3://plant/../x", "file://host/x"]
)
def test_an_address_that_no_store_has_is_refused_with_its_value(uri: str) -> None:
    with pytest.raises(InvalidAddress) as refusal:
        Store.open(uri)
    assert repr(uri) in str(refusal.value) or "empty part" in str(refusal.value)


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../secret", "a/../../b", "a/./b", "a//b", "a/", "line\nbreak", "\0", "\udcff"]
)
def test_a_key_that_could_leave_its_store_or_has_no_one_spelling_is_refused(file_store: Store, key: str) -> None:
    for use in (file_store.read, file_store.head, file_store.delete, lambda key: file_store.create(key, b"")):
        with pytest.raises(InvalidAddress):
            use(key)


def test_the_address_of_one_object_splits_into_its_store_and_its_key(tmp_path: Path) -> None:
    (tmp_path / "known labels.csv").write_bytes(b"id,label\n")
    for uri in (f"{tmp_path}/known labels.csv", f"file://{tmp_path}/known%20labels.csv"):
        store, key = locate(uri)
        assert (key, store.read(key)) == ("known labels.csv", b"id,label\n")
    store, key = locate("s3://plant/a/b.csv")
    assert (store.uri, key) == ("s3://plant/a", "b.csv")


@pytest.mark.parametrize("uri", ["s3://plant", "s3://plant/", "/data/"])
def test_the_address_of_a_folder_is_not_that_of_an_object(uri: str) -> None:
    with pytest.raises(InvalidAddress, match="names no object"):
        locate(uri)


def test_a_file_beside_the_working_directory_can_be_named_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "known.csv").write_bytes(b"x")
    store, key = locate("known.csv")
    assert store.read(key) == b"x"
