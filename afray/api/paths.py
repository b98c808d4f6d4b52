"""Paths of fields as users read them: spec.cluster.workers[0].resources["nvidia.com/gpu"]."""

from __future__ import annotations

import re
from collections.abc import Iterable

Step = str | int
Path = tuple[Step, ...]
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_STEP = re.compile(r'\["(?P<quoted>[^"]*)"\]|\[(?P<index>\d+)\]|\.?(?P<plain>[^.\[]+)')


def join(steps: Iterable[Step]) -> str:
    """Write a path."""
    return "".join(map(_written, steps)).removeprefix(".")


def _written(step: Step) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if _PLAIN.fullmatch(step) else f'["{step}"]'


def split(path: str) -> Path:
    """Read a path."""
    return tuple(
        int(step["index"]) if step["index"] else step["quoted"] or step["plain"] for step in _STEP.finditer(path)
    )


def below(parent: str, field: str) -> str:
    """The path of a field of a block; the block's own if the field is empty."""
    return f"{parent}.{field}" if parent and field else parent or field
