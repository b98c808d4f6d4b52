"""Objects as files of this machine or of a shared file system.

An object appears under its name whole or not at all: it is written to a partial file beside it, and linked into
place, which fails if the name exists.
(obstore's own local store refuses names such as `scan#1` and lists without order, so it is not used here.)
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

from afray.errors import AfrayError
from afray.storage import partials
from afray.storage.addresses import check_key, join
from afray.storage.faults import (
    AccessDenied,
    InvalidAddress,
    LinkBroken,
    ObjectChanged,
    ObjectMissing,
    StoreFull,
    StoreRefused,
    StoreUnreachable,
)
from afray.storage.objects import ObjectInfo

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_MISPLACED = {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.ENXIO}
_DANGLING = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}


class LocalFiles:
    """A folder as an object store."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def address(self, key: str) -> str:
        """Return the path of the object."""
        return str(self._root / key)

    def child(self, prefix: str) -> LocalFiles:
        """Return the folder below."""
        return LocalFiles(self._root / prefix)

    def local_path(self, key: str) -> Path:
        """Return the path of the object, whether it exists or not."""
        return self._root / key

    def read(self, key: str, etag: str | None) -> bytes:
        """Return all bytes of the file."""
        with self._opened(key, etag) as file:
            return file.read()

    def read_range(self, key: str, start: int, length: int, etag: str | None) -> bytes:
        """Return the bytes of the file from `start` on, at most `length`."""
        with self._opened(key, etag) as file:
            file.seek(start)
            return file.read(length)

    def create(self, key: str, content: bytes | Path) -> bool:
        """Write the file if there is none of that name."""
        path = self._root / key
        with self._writing(key), partials.written(path, content) as partial:
            return self._link(key, partial)

    def overwrite(self, key: str, content: bytes) -> None:
        """Replace the file at once: readers see the old or the new bytes."""
        path = self._root / key
        with self._writing(key), partials.written(path, content) as partial:
            partial.replace(path)

    def head(self, key: str) -> ObjectInfo | None:
        """Return the file's entry, None if there is none."""
        try:
            with self._reading(key):
                status = (self._root / key).stat()
        except ObjectMissing:
            return None
        return _entry(key, status) if S_ISREG(status.st_mode) else None

    def delete(self, key: str) -> None:
        """Remove the file."""
        with self._writing(key):
            (self._root / key).unlink(missing_ok=True)

    def list(self, prefix: str, after: str) -> Iterator[ObjectInfo]:
        """Walk the folder in the order of the keys' UTF-8 bytes.

        Links to nothing, pipes and the like are listed too: somebody meant an object, so reading it says why not.
        """
        with self._writing(prefix):
            if (self._root / prefix).is_file():
                raise StoreRefused(self.address(prefix), "this is a file", "Name the folder that holds it")
        return self._walk(prefix, after.encode(), ())

    def _walk(self, folder: str, after: bytes, above: tuple[tuple[int, int], ...]) -> Iterator[ObjectInfo]:
        """Yield the files below `folder`; `above` are the folders that lead here, to leave loops of links."""
        identity = self._identity(folder)
        if identity is None or identity in above:
            return
        for sort_key, key, is_folder in self._scan(folder):
            if is_folder and (sort_key > after or after.startswith(sort_key)):
                yield from self._walk(key, after, (*above, identity))
            elif not is_folder and sort_key > after and (entry := self._listed(key)):
                yield entry

    def _listed(self, key: str) -> ObjectInfo | None:
        """The entry of a name in a folder; None if it is gone by now."""
        path = self._root / key
        try:
            with self._reading(key):
                return _entry(key, _status(path))
        except ObjectMissing:
            return None

    def _identity(self, folder: str) -> tuple[int, int] | None:
        try:
            with self._reading(folder):
                status = (self._root / folder).stat()
        except ObjectMissing:
            return None
        return status.st_dev, status.st_ino

    def _scan(self, folder: str) -> Sequence[tuple[bytes, str, bool]]:
        """Return (sort key, key, is a folder) of a folder's entries; the slash counts in the order of whole keys."""
        found: list[tuple[bytes, str, bool]] = []
        with self._reading(folder), os.scandir(self._root / folder) as entries:
            for entry in entries:
                if partials.is_partial(entry.name):
                    continue
                key = self._checked(join(folder, entry.name))
                is_folder = _is_folder(entry)
                found.append((f"{key}/".encode() if is_folder else key.encode(), key, is_folder))
        found.sort()
        return found

    def _checked(self, key: str) -> str:
        try:
            return check_key(key)
        except InvalidAddress as error:
            raise InvalidAddress(self.address(key), error.problem, error.remedy) from None

    @contextmanager
    def _opened(self, key: str, etag: str | None) -> Iterator[BinaryIO]:
        # A pipe without a writer would otherwise hold the reader up for ever.
        with self._reading(key), open(self._root / key, "rb", opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            if not S_ISREG(status.st_mode):
                raise StoreRefused(self.address(key), "this is a pipe or a device", "Put a file here, or remove it")
            if etag is not None and etag != (found := _etag(status)):
                raise ObjectChanged(self.address(key), etag, found)
            yield file

    def _link(self, key: str, partial: Path) -> bool:
        path = self._root / key
        try:
            os.link(partial, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno in _NO_LINKS:
                raise StoreRefused(str(path), "the file system has no hard links", "Use another one") from None
            raise
        partials.flush_folder(path.parent)
        return True

    @contextmanager
    def _reading(self, key: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            if (path := self._root / key).is_symlink():
                raise LinkBroken(self.address(key), str(path.readlink())) from None
            raise ObjectMissing(self.address(key)) from None
        except OSError as error:
            raise fault(error, self.address(key)) from error

    @contextmanager
    def _writing(self, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise fault(error, self.address(key)) from error


def fault(error: OSError, address: str) -> AfrayError:
    """Turn an error of the operating system into ours."""
    detail = error.strerror or str(error)
    if error.errno in _FULL:
        return StoreFull(address, detail)
    if error.errno in _DENIED:
        return AccessDenied(address, detail, "owner and mode of the file and of the folders above")
    if error.errno in _MISPLACED:
        return StoreRefused(address, detail, "Name another place: a file must not stand where a folder is needed")
    return StoreUnreachable(address, detail, "the disk and its mount")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        raise


def _status(path: Path) -> os.stat_result:
    """Of what the path leads to, or of the link itself if it leads nowhere."""
    try:
        return path.stat()
    except OSError as error:
        if error.errno not in _DANGLING:
            raise
        return path.lstat()


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _entry(key: str, status: os.stat_result) -> ObjectInfo:
    modified = datetime.fromtimestamp(status.st_mtime_ns / 1e9, UTC)
    return ObjectInfo(key, status.st_size, _etag(status), modified)


def _etag(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns:x}-{status.st_size:x}"
