"""Which objects and members are rows: rules on names alone, and the tally of everything they leave out.

Nothing is left out silently: whatever is not a row is counted here, and the counts end in the index.
"""

from __future__ import annotations

from collections import Counter

_PHOTOGRAPHS = {"avif", "heic", "heif", "j2k", "jfif", "jp2", "jpe", "jpeg", "jpg", "webp"}
_RASTERS = {"apng", "bmp", "dib", "gif", "pbm", "pfm", "pgm", "png", "pnm", "ppm", "tga", "tif", "tiff"}

IMAGE_SUFFIXES = frozenset(_PHOTOGRAPHS | _RASTERS)
"""Endings of image names, in lower case; the decoder decides later whether it can read the bytes."""

PARQUET_SUFFIXES = frozenset({"parquet", "pq"})
TAR_SUFFIXES = frozenset({"tar"})
COMPRESSED_TAR_ENDINGS = (".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tbz2", ".txz")

HIDDEN = "hidden"
NO_SUFFIX = "no suffix"
OTHER = "other"

_MOST_KINDS = 20


def suffix(name: str) -> str:
    """Ending of the last part of a path, in lower case and without the dot; empty if there is none."""
    _, dot, ending = name.rpartition("/")[2].rpartition(".")
    return ending.lower() if dot else ""


def is_hidden(key: str, *, marks: str = ".") -> bool:
    """Whether any part of the path starts with one of `marks`, or is what macOS adds to archives."""
    return any(part[:1] in marks or part == "__MACOSX" for part in key.split("/") if part)


def sample_key(member: str) -> tuple[str, str]:
    """Split a webdataset member's path at the first dot of its name: ("a/0001", "left.png") for a/0001.left.png."""
    folder, slash, name = member.rpartition("/")
    stem, _, ending = name.partition(".")
    return f"{folder}{slash}{stem}", ending


class Ignored:
    """Counts of what is not a row, by ending or kind; the number of kinds is bounded."""

    def __init__(self, counts: dict[str, int] | None = None) -> None:
        self._counts: Counter[str] = Counter(counts)

    def add_name(self, name: str) -> None:
        """Count one object or member under its ending."""
        ending = suffix(name)
        self.add_kind(f".{ending}" if ending else NO_SUFFIX)

    def add_kind(self, kind: str) -> None:
        """Count one object or member under something else than its ending."""
        self._count(kind, 1)

    def merge(self, other: Ignored) -> None:
        """Add the counts of another tally."""
        for kind, count in other._counts.items():
            self._count(kind, count)

    @property
    def counts(self) -> dict[str, int]:
        """Counts by kind, the commonest first."""
        return dict(self._counts.most_common())

    def __str__(self) -> str:
        listed = ", ".join(f"{count} {kind}" for kind, count in self.counts.items())
        return listed or "nothing"

    def _count(self, kind: str, count: int) -> None:
        is_new = kind not in self._counts and len(self._counts) >= _MOST_KINDS
        self._counts[OTHER if is_new else kind] += count
