"""Reads raw objects that may hold anything: a field that is missing or of another type reads as its empty value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

Raw = Mapping[str, Any]
"""An object as JSON."""


def block(raw: object, *path: str) -> Raw:
    """The mapping at a path, empty if there is none."""
    for step in path:
        raw = raw.get(step) if isinstance(raw, Mapping) else None
    return raw if isinstance(raw, Mapping) else {}


def entries(raw: Raw, name: str) -> Iterator[Raw]:
    """The mappings in a list."""
    found = raw.get(name)
    return (entry for entry in (found if isinstance(found, list | tuple) else ()) if isinstance(entry, Mapping))


def text(raw: Raw, name: str) -> str:
    """A text, "" if there is none."""
    found = raw.get(name)
    return found if isinstance(found, str) else ""


def count(raw: Raw, name: str) -> int:
    """A whole number from 0, 0 if there is none."""
    found = raw.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else 0


def texts(raw: Raw, name: str) -> dict[str, str]:
    """The texts of a mapping, such as labels."""
    return {key: value for key, value in block(raw, name).items() if isinstance(key, str) and isinstance(value, str)}


def moment(raw: Raw, name: str) -> datetime | None:
    """A time in UTC."""
    try:
        found = datetime.fromisoformat(text(raw, name))
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def is_deeper(raw: object, levels: int) -> bool:
    """Whether a value is nested deeper than that."""
    layer = [raw]
    for _ in range(levels):
        layer = [below for value in layer for below in _below(value)]
    return bool(layer)


def _below(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()
