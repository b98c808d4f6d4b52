"""The block that says which rows to choose: method, budget, cores, denoising, boundary."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from afray.api.block import Block, require_one
from afray.api.locations import File
from afray.api.problems import broken

Method = Literal["bilaf", "activeft", "kmeans", "kcenter", "typiclust", "random"]
CoreMethod = Literal["activeft", "kmeans", "given"]
BoundaryMode = Literal["paper", "released"]
LARGEST_COUNT: Final = 1_000_000_000
MOST_DECIMALS: Final = 9


def check_percent(value: object) -> Decimal:
    """Return the percentage as it was written; raises a broken rule."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise broken("", value, "is not a number", "Write a percentage such as 0.5.")
    if isinstance(value, str) and value.rstrip().endswith("%"):
        raise broken("", value, "has a percent sign", f"Write {value.rstrip(' %')} alone: it is in percent already.")
    try:
        percent = Decimal(str(value))
    except InvalidOperation:
        raise broken("", value, "is not a decimal number", "Write a percentage such as 0.5.") from None
    return _check_percent_bounds(percent)


def _check_percent_bounds(percent: Decimal) -> Decimal:
    if not percent.is_finite() or not 0 < percent <= 100:
        raise broken("", str(percent), "is not a percentage above 0 and at most 100", "0.5 means 5 rows in 1000.")
    exponent = percent.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    if -exponent > MOST_DECIMALS:
        raise broken("", str(percent), f"has more than {MOST_DECIMALS} decimals", "Round it, or use budget.count.")
    return percent


def write_percent(percent: Decimal) -> str:
    """One spelling a value, without an exponent: 0.50 is 0.5, 1E+1 is 10."""
    text = f"{percent:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


Percent = Annotated[
    Decimal,
    BeforeValidator(check_percent),
    PlainSerializer(write_percent, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": 100},
                {"type": "string", "pattern": rf"^[0-9]{{1,3}}(\.[0-9]{{1,{MOST_DECIMALS}}})?$", "maxLength": 13},
            ]
        }
    ),
]


def auto_or_count(largest: int) -> Callable[[object], object]:
    """Make the check of a setting that is `auto` or a number from 1 to `largest`."""

    def check(value: object) -> object:
        if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= largest):
            return value
        raise broken("", value, f"is neither auto nor a whole number from 1 to {largest}", "Write auto or a number.")

    return check


Count = Annotated[int, Field(ge=1, le=LARGEST_COUNT)]
AutoCount = Annotated[Count | Literal["auto"], BeforeValidator(auto_or_count(LARGEST_COUNT))]
Steps = Annotated[int, Field(ge=1, le=100_000)]
AutoSteps = Annotated[Steps | Literal["auto"], BeforeValidator(auto_or_count(100_000))]


class BudgetSpec(Block):
    """How many rows people will label, cores included: exactly one of count and percent."""

    count: int | None = Field(None, ge=1, le=LARGEST_COUNT)
    """Number of rows."""
    percent: Percent | None = None
    """Percentage of the unique readable rows, a decimal number or text above 0 and at most 100; truncated to rows."""

    @model_validator(mode="before")
    @classmethod
    def _not_a_bare_number(cls, value: object) -> object:
        if isinstance(value, (int, float, str)):
            remedy = f"Write {{count: {value}}} for rows, or {{percent: {value}}} for a share of the pool."
            raise broken("", value, "is neither a count nor a percentage", remedy)
        return value

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        require_one("Write {count: 1000} or {percent: 0.5}.", count=self.count, percent=self.percent)
        return self


class CoreSpec(Block):
    """The core rows: one per typical region of the pool."""

    size: AutoCount = "auto"
    """Number of cores. auto is the whole budget up to 100 rows and round(0.8 budget) above: without boundary rows the
    measured accuracy was 0 to 0.5 points better above 100 as well; 0.8 keeps a boundary step."""
    method: CoreMethod = "activeft"
    """activeft, kmeans, or given: ids from a file."""
    uri: File | None = None
    """For given: a text file, one id a line."""
    steps: AutoSteps = "auto"
    """For activeft: optimisation steps. auto is 300 for pools up to 200,000 rows, 100 above."""
    rows_per_step: AutoCount = "auto"
    """For activeft: rows drawn per step by seed. auto is all up to 200,000 rows, max(100000, 10 size) above."""


class DenoiseSpec(Block):
    """Removal of each core's outliers before boundary rows are looked for."""

    removal_ratio: float = Field(0.1, ge=0, lt=1)
    """Share of a core's rows that is removed, sparsest first."""
    neighbours: int = Field(10, ge=1, le=1000)
    """Rows whose mean distance is the density."""


class BoundarySpec(Block):
    """The boundary rows: near their core's border to another core."""

    mode: BoundaryMode = "paper"
    """paper, or released: with the deviations of the paper's published code, for comparison with its results."""
    opponent_penalty: float = Field(1.1, ge=1, le=1000)
    """Factor on the distance to an opposing core for each row already picked against it; 1 is no penalty."""


class SelectionSpec(Block):
    """Which rows to choose."""

    method: Method = "bilaf"
    """bilaf; for comparison activeft, kmeans, kcenter, typiclust and random, which choose the whole budget alone."""
    budget: BudgetSpec
    """How many rows people will label."""
    core: CoreSpec = CoreSpec()
    """First step of bilaf. Method activeft takes `steps` and `rowsPerStep` from here."""
    denoise: DenoiseSpec = DenoiseSpec()
    """Second step of bilaf."""
    boundary: BoundarySpec = BoundarySpec()
    """Third step of bilaf."""
    seed: int = Field(0, ge=0, le=2**32 - 1)
    """Decides every draw."""
