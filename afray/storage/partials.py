"""Files on their way: written and flushed under a name of their own beside the final one, then renamed or linked.

A killed process leaves at most such a file. No listing shows it; when nothing runs, it may be deleted.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_NAME = re.compile(r"\.afray-[0-9a-f]{32}\.partial")


def is_partial(name: str) -> bool:
    """Tell whether a file name is one that `written` gives."""
    return _NAME.fullmatch(name) is not None


@contextmanager
def written(path: Path, content: bytes | Path) -> Iterator[Path]:
    """Give a flushed file beside `path` that holds the content; it is gone afterwards."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.parent / f".afray-{uuid.uuid4().hex}.partial"
    try:
        with partial.open("xb") as file:
            _fill(file, content)
            file.flush()
            os.fsync(file.fileno())
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def flush_folder(folder: Path) -> None:
    """Make new names in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fill(file: IO[bytes], content: bytes | Path) -> None:
    if isinstance(content, Path):
        with content.open("rb") as source:
            shutil.copyfileobj(source, file)
    else:
        file.write(content)
