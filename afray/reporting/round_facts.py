"""What the report of a round says beyond that of a first selection, typed; shares are 0..1."""

from __future__ import annotations

from afray.reporting.facts import Count, Facts, Share


class Estimate(Facts):
    """A share or a difference of shares, with its 95 % interval."""

    value: float
    low: float
    high: float


class Uncertainty(Facts):
    """How uncertain rows are by the labels of the rounds before: one minus the margin of their likeliest classes."""

    drawn: Count
    """Rows without an answer that were looked at: those of the map."""
    open: tuple[Count, ...]
    """Rows without an answer, in equal bins over [0, 1]."""
    picked: tuple[Count, ...]
    """The rows that this round chose."""
    open_mean: Share
    picked_mean: Share
    levels: tuple[int, ...]
    """Of each pool row of the map, in its order, in percent; -1 for answered ones. Empty without a map."""


class PredictedClass(Facts):
    """A class by the model of the rounds before."""

    name: str
    labels: Count
    """Rows that people gave it, in the rounds before."""
    picks: Count
    """Rows of this round that are predicted as it."""


class ReliabilityBin(Facts):
    """Labelled rows that were predicted with about the same confidence by models that did not see them."""

    rows: Count
    confidence: Share
    """Mean of the rows."""
    accuracy: Share


class Reliability(Facts):
    """Whether predictions are right as often as they claim, before and after the temperature."""

    temperature: float
    rows: Count
    before: tuple[ReliabilityBin, ...]
    """Bins without rows are left out, here and below."""
    after: tuple[ReliabilityBin, ...]
    error_before: Share
    """Mean distance between confidence and accuracy of the bins, by rows."""
    error_after: Share


class RoundAccuracy(Facts):
    """How well labelled rows predict each other, with the labels of all rounds up to this one."""

    round: Count
    labels: Count
    """Of this round alone."""
    total: Count
    """Of all rounds up to it."""
    classes: Count
    accuracy: Estimate
    """Cross-validated."""


class Bought(Facts):
    """What the last labels changed on some rows."""

    rows: Count
    without: Share
    """Accuracy with the labels of the rounds before alone."""
    with_them: Share
    difference: Estimate


class RoundReport(Facts):
    """A round beside those before it."""

    number: Count
    """2 for the first one that knows labels."""
    uncertainty: Uncertainty | None
    """Null if the labels before tell nothing apart; so are the two below."""
    predicted: tuple[PredictedClass, ...]
    """Most picks first."""
    reliability: Reliability | None
    accuracy: tuple[RoundAccuracy, ...]
    """By round, as far as labels have come back; those of this round too, if they have."""
    bought: Bought | None
    """By the rows of the last round with labels, cross-validated; null if there is no round before it."""
