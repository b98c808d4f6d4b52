"""A store as a pyarrow filesystem: what Ray Train does with checkpoints, done to real files and to a real bucket."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.s3_server import running_s3_server
from pyarrow import fs

from afray.runtime.store_files import filesystem
from afray.storage.store import Store


@pytest.fixture(scope="module")
def bucket() -> Iterator[Store]:
    with running_s3_server() as server:
        yield Store.open(server.new_bucket(), environment=server.environment)


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return Store.open(str(tmp_path / "store"))
    whole: Store = request.getfixturevalue("bucket")
    return whole.child(request.node.name.partition("[")[0])


def write(store: Store, *keys: str) -> fs.PyFileSystem:
    for key in keys:
        store.create(key, key.encode())
    return filesystem(store)


def test_a_folder_of_files_survives_a_copy_there_and_back(store: Store, tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "state.pt").write_bytes(b"\0" * 5_000_000)
    (tmp_path / "in" / "deep" / "note").write_bytes(b"x")
    there = filesystem(store)
    fs.copy_files(str(tmp_path / "in"), "run/checkpoint", destination_filesystem=there)
    assert store.read("run/checkpoint/deep/note") == b"x"
    fs.copy_files("run/checkpoint", str(tmp_path / "out"), source_filesystem=there)
    assert (tmp_path / "out" / "state.pt").read_bytes() == b"\0" * 5_000_000
    assert (tmp_path / "out" / "deep" / "note").read_bytes() == b"x"


def test_files_folders_and_nothing_are_told_apart(store: Store) -> None:
    there = write(store, "run/a/one", "run/two")
    kinds = [info.type for info in there.get_file_info(["run", "run/a", "run/two", "run/three", "ru"])]
    assert kinds == [
        fs.FileType.Directory, fs.FileType.Directory, fs.FileType.File, fs.FileType.NotFound, fs.FileType.NotFound,
    ]  # fmt: skip
    assert there.get_file_info("run/two").size == len("run/two")


def test_a_folder_lists_what_is_in_it_and_below_only_if_asked(store: Store) -> None:
    there = write(store, "run/a/one", "run/a/two", "run/b", "running")
    flat = {info.path: info.type for info in there.get_file_info(fs.FileSelector("run"))}
    assert flat == {"run/a": fs.FileType.Directory, "run/b": fs.FileType.File}
    deep = there.get_file_info(fs.FileSelector("run", recursive=True))
    assert [info.path for info in deep] == ["run/a", "run/a/one", "run/a/two", "run/b"]


def test_a_missing_folder_is_an_error_unless_it_may_be_missing(store: Store) -> None:
    there = filesystem(store)
    assert there.get_file_info(fs.FileSelector("nowhere", allow_not_found=True)) == []
    with pytest.raises(FileNotFoundError, match="nowhere"):
        there.get_file_info(fs.FileSelector("nowhere"))
    with pytest.raises(FileNotFoundError, match="nothing"):
        there.open_input_stream("nothing")


def test_a_deleted_folder_takes_its_files_along_and_no_neighbours(store: Store) -> None:
    there = write(store, "old/a/one", "old/two", "older/three")
    there.delete_dir("old")
    assert [entry.key for entry in store.list()] == ["older/three"]


def test_a_stream_can_be_written_over_and_moved(store: Store) -> None:
    there = filesystem(store)
    for content in (b"first", b"second"):
        with there.open_output_stream("snapshot.json") as stream:
            stream.write(content)
    there.move("snapshot.json", "kept.json")
    assert store.read("kept.json") == b"second"
    assert store.head("snapshot.json") is None


def test_an_output_is_never_emptied_as_a_whole(store: Store) -> None:
    there = write(store, "precious")
    with pytest.raises(OSError, match="will not be emptied"):
        there.delete_dir_contents("", accept_root_dir=True)
    assert store.read("precious") == b"precious"


def test_it_travels_to_other_processes_by_its_address(store: Store) -> None:
    there = write(store, "a")
    copy = pickle.loads(pickle.dumps(there))
    assert copy.equals(there)
    with copy.open_input_file("a") as file:
        assert file.read() == b"a"
