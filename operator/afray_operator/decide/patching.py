"""From one status to the next as a JSON merge patch, in which what is gone must be said to be null."""

from __future__ import annotations

from pydantic import JsonValue

from afray.api.status import JobStatus


def status_patch(old: JobStatus, new: JobStatus) -> dict[str, JsonValue]:
    """What to send for `status`; empty if nothing changed."""
    return _patch(old.to_json(), new.to_json())


def _patch(old: dict[str, JsonValue], new: dict[str, JsonValue]) -> dict[str, JsonValue]:
    patch: dict[str, JsonValue] = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, dict) and isinstance(before, dict):
            if changed := _patch(before, value):
                patch[name] = changed
        elif name not in old or before != value:
            patch[name] = value
    return patch
