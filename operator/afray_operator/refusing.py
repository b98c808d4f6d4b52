"""Why the API server did not write an object: what its error means, and whose object has the name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from kubernetes.aio.client.exceptions import ApiException

from afray_operator.api import say
from afray_operator.kinds import SELECTION_JOB
from afray_operator.observed import Hindrance
from afray_operator.observed.json_access import block, entries, text

_FINAL: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY,
     HTTPStatus.REQUEST_ENTITY_TOO_LARGE}
)  # fmt: skip
"""Answers that trying again at once will not change."""
_RBAC: Final = re.compile(r"\bcannot (create|patch|get) resource\b")
"""What RBAC says. A quota, a policy and a webhook answer 403 too, each in words of its own."""
WORDS: Final = {
    Hindrance.taken: "is somebody else's. Delete or rename it; it is tried again every minute.",
    Hindrance.leaving: "belongs to a deleted SelectionJob of this name, and goes by itself.",
}
"""What is said of an object that has the name."""


def hindrance_in(error: ApiException) -> Hindrance:
    """What an error means for the object. Raises it again if it says nothing of that."""
    if error.status == HTTPStatus.FORBIDDEN and _RBAC.search(say(error)):
        return Hindrance.rights
    if error.status in _FINAL:
        return Hindrance.rules
    if error.status == HTTPStatus.TOO_MANY_REQUESTS or (error.status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Hindrance.trouble
    raise error


def whose(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Hindrance | None:
    """None if what was found has the controller that is wanted."""
    theirs, ours = _controller(found), _controller(wanted)
    if text(theirs, "uid") == text(ours, "uid"):
        return None
    is_job = text(theirs, "kind") == SELECTION_JOB.kind and text(theirs, "apiVersion") == SELECTION_JOB.api_version
    return Hindrance.leaving if is_job and text(theirs, "name") == text(ours, "name") else Hindrance.taken


def _controller(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    owners = entries(block(raw, "metadata"), "ownerReferences")
    return next((owner for owner in owners if owner.get("controller")), {})
