"""What a driver tells the operator: one JSON text in one ConfigMap, version 1. To the operator it is untrusted."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_serializer
from pydantic.alias_generators import to_camel

from afray.api.status_fields import Count, Ratio, to_utc, write_moment
from afray.contract.names import Stage

KEY: Final = "progress"
"""The key in the ConfigMap's data."""
LARGEST: Final = 16_384
"""Bytes of the JSON text: more than any valid payload has, in whatever script its locations are written."""
LONGEST_MESSAGE: Final = 200
_LONGEST_END = 80

Short = Annotated[str, Field(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
Message = Annotated[str, Field(max_length=LONGEST_MESSAGE, pattern=r"^[^\x00-\x1f\x7f]*$")]
Uri = Annotated[str, Field(max_length=2200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Moment = Annotated[datetime, AfterValidator(to_utc)]


class _Part(BaseModel):
    # Unknown fields are ignored: a newer driver may say more than this operator understands.
    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True, allow_inf_nan=False
    )


class SelectionResult(_Part):
    """Where the selection is, and what it is."""

    uri: Uri
    digest: Digest
    selected: Count
    pool_size: Count
    """Readable unique rows that it was chosen from."""


class FinetuneResult(_Part):
    """What the training reached. `biased` = measured on selected rows, for want of held-out ones."""

    accuracy: Ratio
    macro_recall: Ratio
    seconds: Annotated[float, Field(ge=0)]
    biased: bool


class LabelsResult(_Part):
    """What came of a label file. Counts are of selected rows, `unknown` of ids that nobody asked for."""

    sha256: Digest
    """Of the file's bytes; of no bytes if it cannot be read."""
    accepted: bool
    message: Message = ""
    """Why it is refused, with the next step."""
    answered: Count
    asked: Count
    unknown: Count
    classes: Count


class Failure(_Part):
    """Why a driver gives up; `message` is the first cause in one line."""

    exit_code: Annotated[int, Field(ge=1, le=255)]
    reason: Short
    message: Message
    log_uri: Uri = ""


class ProgressPayload(_Part):
    """The state of one driver. `done` counts rows or iterations; `advanced_at` is when stage or `done` last moved."""

    version: Literal[1] = 1
    afray_version: Short
    epoch: Count
    """Of the output's owner (0 before it has one); the operator ignores lower ones than it has seen."""
    attempt: Annotated[int, Field(ge=1, le=1_000_000)]
    task: Stage
    """What the driver was started for: SELECTION_STAGE."""
    stage: Short
    """What it does now, such as embed."""
    step: Short = ""
    unit: Short = "rows"
    done: Count = 0
    total: Count | None = None
    rate: Annotated[float, Field(ge=0)] | None = None
    """Units per second."""
    eta_seconds: Count | None = None
    device: Short = ""
    """Device class of the workers, such as cpu."""
    advanced_at: Moment
    heartbeat: Moment
    result: SelectionResult | None = None
    finetune: FinetuneResult | None = None
    labels: LabelsResult | None = None
    failure: Failure | None = None

    @field_serializer("advanced_at", "heartbeat")
    def _seconds(self, moment: datetime) -> str:
        return write_moment(moment)

    def write(self) -> str:
        """The text for the ConfigMap."""
        return self.model_dump_json(by_alias=True, exclude_none=True)


class UnreadablePayload(ValueError):
    """A progress text that says nothing: too large, not JSON, a wrong field. The message names it, never quotes it."""


def read_progress(text: str) -> ProgressPayload:
    """Parse what stands in a ConfigMap; anyone may have written it. Raises UnreadablePayload."""
    if len(text.encode(errors="surrogatepass")) > LARGEST:
        raise UnreadablePayload(f"more than {LARGEST} bytes")
    try:
        return ProgressPayload.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))[:LONGEST_MESSAGE] or "payload"
        raise UnreadablePayload(f"{where}: {first['type']}") from None


def printable(text: str) -> str:
    """The text with a blank for every character that may not be in a `Short` or a `Message`."""
    return "".join(character if character.isprintable() else " " for character in text)


def one_line(text: str) -> str:
    """A text fit for a `Message`: its first line without control characters.

    A long one loses its middle: what happened stands at the start of a message, and what to do about it at the end.
    """
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    clean = printable(first)
    if len(clean) <= LONGEST_MESSAGE:
        return clean
    return f"{clean[: LONGEST_MESSAGE - _LONGEST_END - 3]} … {clean[-_LONGEST_END:]}"
