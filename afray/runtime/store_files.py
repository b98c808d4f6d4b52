"""A Store as a pyarrow filesystem, so that Ray Train keeps its checkpoints with the credentials of everything else.

Only what checkpoints need: whole files, folders that exist as long as something is in them.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyarrow.fs import FileInfo, FileSelector, FileSystemHandler, FileType, PyFileSystem

from afray.storage.store import ObjectInfo, ObjectMissing, Store


def filesystem(store: Store) -> PyFileSystem:
    """Paths are keys of the store."""
    return PyFileSystem(StoreFiles(store))


class StoreFiles(FileSystemHandler):  # type: ignore[misc]
    """Method names and arguments are pyarrow's. Picklable, as its store is."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoreFiles) and other.store.uri == self.store.uri

    def __hash__(self) -> int:
        return hash(self.store.uri)

    def get_type_name(self) -> str:
        """What this is called in messages."""
        return "afray-store"

    def normalize_path(self, path: str) -> str:
        """Keys have no slash at either end."""
        return path.strip("/")

    def get_file_info(self, paths: Iterable[str]) -> list[FileInfo]:
        """Whether each path is a file, a folder or nothing."""
        return [self._inspect(self.normalize_path(path)) for path in paths]

    def get_file_info_selector(self, selector: FileSelector) -> list[FileInfo]:
        """What lies in a folder; folders come before what is in them, as copying them needs it."""
        folder = self.normalize_path(selector.base_dir)
        found: dict[str, FileInfo] = {}
        for entry in self._below(folder):
            found.update((path, FileInfo(path, FileType.Directory)) for path in _folders(entry.key, folder))
            found[entry.key] = _file(entry)
        if not found and not selector.allow_not_found:
            raise FileNotFoundError(folder)
        depth = _depth(folder) + 1
        return [info for path, info in found.items() if selector.recursive or _depth(path) == depth]

    def create_dir(self, path: str, recursive: bool) -> None:
        """Nothing to do: a folder is there once an object is in it."""

    def delete_dir(self, path: str) -> None:
        """Remove all that lies in a folder."""
        for entry in list(self._below(self.normalize_path(path))):
            self.store.delete(entry.key)

    def delete_dir_contents(self, path: str, missing_dir_ok: bool = False) -> None:  # noqa: ARG002 - pyarrow's signature
        """Remove all that lies in a folder."""
        self.delete_dir(path)

    def delete_root_dir_contents(self) -> None:
        """Refused: nobody means to empty an output."""
        raise OSError(f"{self.store.uri}: will not be emptied")

    def delete_file(self, path: str) -> None:
        """Remove one object."""
        self.store.delete(self.normalize_path(path))

    def move(self, src: str, dest: str) -> None:
        """Rename one object, not atomically."""
        self.copy_file(src, dest)
        self.delete_file(src)

    def copy_file(self, src: str, dest: str) -> None:
        """Copy one object."""
        self.store.overwrite(self.normalize_path(dest), self._read(src))

    def open_input_stream(self, path: str) -> pa.NativeFile:
        """Open for reading from start to end."""
        return self.open_input_file(path)

    def open_input_file(self, path: str) -> pa.NativeFile:
        """Open for reading anywhere."""
        return pa.BufferReader(self._read(path))

    def open_output_stream(self, path: str, metadata: object) -> pa.NativeFile:  # noqa: ARG002 - pyarrow's signature
        """Open for writing; the object appears whole when the file is closed."""
        return pa.PythonFile(_Upload(self.store, self.normalize_path(path)), mode="w")

    def open_append_stream(self, path: str, metadata: object) -> pa.NativeFile:  # noqa: ARG002 - pyarrow's signature
        """Refused: stores have no append."""
        raise OSError(f"{path}: objects cannot be appended to")

    def _read(self, path: str) -> bytes:
        try:
            return self.store.read(self.normalize_path(path))
        except ObjectMissing as error:
            raise FileNotFoundError(str(error)) from error

    def _inspect(self, path: str) -> FileInfo:
        entry = self.store.head(path) if path else None
        if entry is not None:
            return _file(entry)
        is_folder = next(self._below(path), None) is not None
        return FileInfo(path, FileType.Directory if is_folder else FileType.NotFound)

    def _below(self, folder: str) -> Iterator[ObjectInfo]:
        return self.store.list(folder)


class _Upload(io.BytesIO):
    """A file in memory that becomes an object when it is closed."""

    def __init__(self, store: Store, key: str) -> None:
        super().__init__()
        self._store, self._key = store, key

    def close(self) -> None:
        if not self.closed:
            self._store.overwrite(self._key, self.getvalue())
        super().close()


def _folders(key: str, top: str) -> list[str]:
    """The folders between `top` and an object below it, outer ones first."""
    names = key.split("/")
    return ["/".join(names[:depth]) for depth in range(_depth(top) + 1, len(names))]


def _depth(path: str) -> int:
    return path.count("/") + 1 if path else 0


def _file(entry: ObjectInfo) -> FileInfo:
    return FileInfo(entry.key, FileType.File, size=entry.size, mtime=entry.modified)
