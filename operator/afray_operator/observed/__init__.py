"""What is seen of a job: raw objects in, frozen facts out."""

from afray_operator.observed.facts import DryRun, Observed, Offers, Refusal
from afray_operator.observed.reading import Memory, RawObjects, observe

__all__ = ["DryRun", "Memory", "Observed", "Offers", "RawObjects", "Refusal", "observe"]
