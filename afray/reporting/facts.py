"""What the certificate and the report share: the model base, digests, the funnel, and one way of writing JSON."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from afray.errors import IntegrityError

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A sha256 in lower-case hex."""
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


class Facts(BaseModel):
    """Base of all stored facts: frozen, complete, camelCase in files; a number is always a number (no NaN)."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        populate_by_name=True,
        allow_inf_nan=False,
        protected_namespaces=(),
    )


class Funnel(Facts):
    """How many rows were left after each step of a run."""

    listed: Count
    """Rows in the index."""
    readable: Count
    """Listed rows that are not in quarantine."""
    unique: Count
    """Readable rows without exact copies: what selection sees."""
    kept: Count
    """Unique rows that denoising did not remove."""
    selected: Count
    """Labels to pay for."""


def dump(facts: Facts) -> dict[str, Json]:
    """Facts as plain JSON values under their names in files, in declared order."""
    return facts.model_dump(mode="json", by_alias=True)


def parse(content: bytes, name: str) -> dict[str, Json]:
    """The JSON object in `content`. Raises IntegrityError, with line and column, where it ends or breaks."""
    try:
        document = json.loads(content.decode())
    except UnicodeDecodeError as broken:
        raise IntegrityError(f"{name}: not UTF-8 text ({broken}); restore the file or run again") from broken
    except json.JSONDecodeError as broken:
        where = f"line {broken.lineno}, column {broken.colno}"
        raise IntegrityError(f"{name}: {where}: {broken.msg}; the file is truncated or damaged, restore it") from broken
    if not isinstance(document, dict):
        raise IntegrityError(f"{name}: holds a {type(document).__name__} where an object was expected; restore it")
    return document


def first_problem(name: str, invalid: ValidationError) -> IntegrityError:
    """The first broken field of a stored file, as an error for the user."""
    problem = invalid.errors()[0]
    field = ".".join(str(part) for part in problem["loc"])
    value = "" if problem["type"] == "missing" else f" (value: {problem['input']!r:.80})"
    return IntegrityError(f"{name}: field {field}: {problem['msg']}{value}; restore the file or run again")
