"""What an API server and `afray validate` do not judge alike, each with its reason; docs/spec.md lists it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from afray.api.checks.pods import LARGEST_SPEC
from afray.api.cluster import LARGEST_TEMPLATE


@dataclass(frozen=True, slots=True)
class OneSided:
    """A rule that one of the two has alone."""

    what: str
    why: str


ONLY_AFRAY: Final = (
    OneSided(
        f"a pod template above {LARGEST_TEMPLATE} bytes or nested without end, a spec above {LARGEST_SPEC} bytes",
        "CEL can not measure an object, and sees nothing of a template. The operator says it in `Accepted`.",
    ),
    OneSided(
        "`file://` locations that overlap only when decoded: `%2F`, `..`, `//`",
        "CEL has no function that decodes a path. The operator says it in `Accepted`.",
    ),
    OneSided(
        "a field with nothing behind the colon (null) that has a default",
        "An API server drops it before its checks and takes the default. Mostly a colour without quotes is meant.",
    ),
    OneSided(
        "`64.0` where a whole number is wanted",
        "An API server reads it as 64.",
    ),
    OneSided(
        "`generateName` without `name`",
        "An API server makes a name up; `afray run` and your next command need to know it.",
    ),
    OneSided(
        "a file above 256 KiB",
        "`kubectl apply` keeps the file in an annotation of that size.",
    ),
)
ONLY_SERVER: Final = (
    OneSided(
        "changes of a job that exists",
        "They show only beside the stored job.",
    ),
    OneSided(
        "what Kubernetes asks of any object's metadata: a label's domain above 253 characters, owners, finalizers",
        "It checks that itself, for every kind, and names `metadata.labels` without the key.",
    ),
)
OTHER_PATHS: Final = (
    OneSided(
        "a name that no resource can have, a part of a device other than `nvidia.com/gpu`",
        "A rule in CEL can not name a key that it found: the path ends at `resources`.",
    ),
)
"""Judged alike, but at another path."""
