"""One spelling of a JSON value, so that equal values have equal bytes and digests."""

from __future__ import annotations

import json

from pydantic import JsonValue


def canonical_json(value: JsonValue) -> bytes:
    """Return the value as UTF-8 with sorted keys and no spaces; raises ValueError for NaN and infinities."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode() + b"\n"
