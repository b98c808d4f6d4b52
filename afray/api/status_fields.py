"""What a single field of the status may hold."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, AliasGenerator, BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

from afray.api.conditions import ConditionType, Phase, Reason

LONGEST_MESSAGE: Final = 400
"""Characters of a condition's message. Where ten of them and the rest would exceed 8 kB, the operator shortens them."""
_LARGEST_COUNT: Final = 2**53


def to_utc(moment: datetime) -> datetime:
    """The same moment in UTC. Raises ValueError for one without a zone."""
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return moment.astimezone(UTC)


def _to_seconds(moment: datetime) -> datetime:
    return to_utc(moment).replace(microsecond=0)


def write_moment(moment: datetime) -> str:
    """RFC 3339 in UTC, whole seconds, as Kubernetes writes times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Moment = Annotated[datetime, AfterValidator(_to_seconds), PlainSerializer(write_moment, when_used="json")]
Count = Annotated[int, Field(ge=0, le=_LARGEST_COUNT)]
Seconds = Annotated[int, Field(ge=0, le=_LARGEST_COUNT)]
Word = Annotated[str, Field(max_length=64)]
Name = Annotated[str, Field(max_length=253)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)]
Uri = Annotated[str, Field(max_length=2200)]
Message = Annotated[str, Field(max_length=LONGEST_MESSAGE)]
Ratio = Annotated[float, Field(ge=0, le=1)]


_WORD: Final = "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"


def _open(words: type[StrEnum]) -> WithJsonSchema:
    """An API server takes any word: an operator is not held up by a CRD that is older than itself."""
    return WithJsonSchema({"type": "string", "pattern": _WORD, "maxLength": 64, "examples": [*words]})


JobPhase = Annotated[Phase, _open(Phase)]
JobCondition = Annotated[ConditionType, _open(ConditionType)]
Why = Annotated[Reason, _open(Reason)]


class StatusBlock(BaseModel):
    """A part of the status."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=AliasGenerator(alias=to_camel),
        validate_by_alias=True,
        validate_by_name=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )
