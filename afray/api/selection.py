"""The block that says which rows to choose: method, budget, cores, denoising, boundary."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from afray.api.block import Block, OneOf
from afray.api.cel import Checked, Rule
from afray.api.locations import File
from afray.api.problems import broken

Method = Literal["bilaf", "activeft", "kmeans", "kcenter", "typiclust", "random", "uherding"]
CoreMethod = Literal["activeft", "kmeans", "given"]
BoundaryMode = Literal["paper", "released"]
LARGEST_COUNT: Final = 1_000_000_000
MOST_STEPS: Final = 100_000
MOST_PROBES: Final = 10_000
MOST_DECIMALS: Final = 9
FEW_DECIMALS: Final = Rule(
    # Nine decimals of the double, as an integer: the double nearest to that many billionths must be the same again.
    rule="self <= 0.0 || self > 100.0 || double(int(self * 1e9 + 0.5)) / 1e9 == self",
    problem=f"has more than {MOST_DECIMALS} decimals",
    remedy="Round it, or use budget.count.",
)


def check_percent(value: object) -> Decimal:
    """Return the percentage as it was written; raises a broken rule."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise broken("", value, "is not a number", "Write it in percent, without sign and quotes, such as 0.5.")
    percent = Decimal(str(value))
    if not percent.is_finite() or not 0 < percent <= 100:
        raise broken("", str(percent), "is not a percentage above 0 and at most 100", "0.5 means 5 rows in 1000.")
    exponent = percent.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    if -exponent > MOST_DECIMALS:
        raise broken("", str(percent), FEW_DECIMALS.problem, FEW_DECIMALS.remedy)
    return percent


Percent = Annotated[
    Decimal,
    BeforeValidator(check_percent),
    PlainSerializer(float, return_type=float),  # exact: at most 12 digits
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 100}),
    Checked(FEW_DECIMALS),
]


def auto_or_count(largest: int) -> tuple[Callable[[object], object], Rule]:
    """Make the check of a setting that is `auto` or a number from 1 to `largest`: in Python, and in CEL."""
    rule = Rule(
        rule=f'self == "auto" || type(self) == int && int(self) >= 1 && int(self) <= {largest}',
        problem=f"is neither auto nor a whole number from 1 to {largest}",
        remedy="Write auto or a number.",
    )

    def check(value: object) -> object:
        if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= largest):
            return value
        raise broken("", value, rule.problem, rule.remedy)

    return check, rule


_check_count, _COUNT = auto_or_count(LARGEST_COUNT)
_check_steps, _STEPS = auto_or_count(MOST_STEPS)
Count = Annotated[int, Field(ge=1, le=LARGEST_COUNT)]
AutoCount = Annotated[Count | Literal["auto"], BeforeValidator(_check_count), Checked(_COUNT)]
Steps = Annotated[int, Field(ge=1, le=MOST_STEPS)]
AutoSteps = Annotated[Steps | Literal["auto"], BeforeValidator(_check_steps), Checked(_STEPS)]


class BudgetSpec(Block):
    """How many rows people will label, cores included: exactly one of count and percent."""

    one_of = OneOf("count", "percent", "Write {count: 1000} or {percent: 0.5}.")

    count: int | None = Field(None, ge=1, le=LARGEST_COUNT)
    """Number of rows."""
    percent: Percent | None = None
    """Percentage of the unique readable rows, a decimal number above 0 and at most 100; truncated to rows."""

    @model_validator(mode="before")
    @classmethod
    def _not_a_bare_number(cls, value: object) -> object:
        if isinstance(value, (int, float, str)):
            remedy = f"Write {{count: {value}}} for rows, or {{percent: {value}}} for a share of the pool."
            raise broken("", value, "is neither a count nor a percentage", remedy)
        return value


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
    probes: int | None = Field(None, ge=1, le=MOST_PROBES)
    """Approximate: cores are put into about sqrt(size) groups, and a row looks for its own in this many of them. Left
    out, it looks at all. The certificate says how often the nearest core was missed, on a sample."""


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
    intra_distance: Literal["rms"] | None = None
    """Approximate: rms takes the root of the mean square for a row's mean distance to its cluster, without looking at
    pairs. Left out, it is the mean. The certificate says how many picks that changed, on a sample."""


class UherdingSpec(Block):
    """Settings of uherding; the defaults are those that were measured."""

    kernel_scale: float = Field(0.7, ge=0.01, le=100)
    """Reach of a row, per median distance of all rows to their nearest labelled row."""
    neighbours: int = Field(16, ge=1, le=1000)
    """Nearest labelled rows whose surroundings a candidate is judged by."""


class SelectionSpec(Block):
    """Which rows to choose."""

    method: Method = "bilaf"
    """bilaf; uherding for a round after the first; for comparison activeft, kmeans, kcenter, typiclust and random,
    which choose the whole budget alone."""
    budget: BudgetSpec
    """How many rows people will label; with spec.previous, how many more."""
    core: CoreSpec = CoreSpec()
    """First step of bilaf. Method activeft takes `steps` and `rowsPerStep` from here."""
    denoise: DenoiseSpec = DenoiseSpec()
    """Second step of bilaf."""
    boundary: BoundarySpec = BoundarySpec()
    """Third step of bilaf."""
    uherding: UherdingSpec | None = None
    """Settings of uherding, which covers what the labels of earlier rounds leave uncertain; needs spec.previous."""
    seed: int = Field(0, ge=0, le=2**32 - 1)
    """Decides every draw."""
