"""What is seen of a job: raw objects in, frozen facts out."""

from afray_operator.observed.facts import Observed, Offers
from afray_operator.observed.reading import Memory, RawObjects, observe
from afray_operator.observed.refusals import DryRun, Hindrance, Refusal

__all__ = ["DryRun", "Hindrance", "Memory", "Observed", "Offers", "RawObjects", "Refusal", "observe"]
