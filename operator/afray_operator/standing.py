"""Who serves a namespace, of the releases of the operator that watch it: the rules, and what is said of it. No I/O."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from afray.contract import names

CLAIM: Final = f"{names.PLURAL}.{names.GROUP}"
"""Name of the Lease that is a claim, in every namespace. People name releases "afray-operator", not so, and the Lease
by which a release finds its leader is named after it: it may be in the same namespace."""
RENEWED_AFTER: Final = 1 / 3
MARGIN: Final = 1 / 10
"""The end of a claim, in which we no longer act on it: longer than one action takes."""


class Standing(Enum):
    """Of this release in a namespace."""

    ours = auto()
    theirs = auto()
    unguarded = auto()
    """Nobody knows: Leases may not be read or written there."""


def is_held(standing: Standing | None, seconds_left: float, duration: int) -> bool:
    """Whether jobs may be worked on; `seconds_left` are those until a claim of ours runs out."""
    return standing is Standing.unguarded or (standing is Standing.ours and seconds_left > MARGIN * duration)


def is_due(standing: Standing | None, seconds_since: float, duration: int) -> bool:
    """Whether to ask again, so long after an answer. What is theirs may run out or be deleted at any time."""
    return standing in (None, Standing.theirs) or seconds_since >= RENEWED_AFTER * duration


def say_theirs(namespace: str, holder: str, duration: int) -> str:
    """A warning that names the remedy."""
    return (
        f"namespace {namespace} is left alone: another release of the operator, {holder}, serves it. Narrow"
        " watchNamespaces of one of the two, or uninstall one. The claim runs out about"
        f" {duration} s after that; to hand over at once, delete it then:"
        f" kubectl delete lease {CLAIM} --namespace {namespace}"
    )


def say_unguarded(namespace: str, answer: str) -> str:
    """A warning that names the right that lacks."""
    return (
        f"namespace {namespace} is served without a claim: {answer}. A second release that watches it would work on"
        " the same jobs. Grant create, get and update of Leases there."
    )
