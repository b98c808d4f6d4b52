"""kopf's part: it watches what may change a decision.

Only `on.event` handlers: they write nothing to the objects and keep no state in them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import kopf

from afray.contract import names
from afray_operator.kinds import LABELLED, WATCHED, Kind
from afray_operator.watching import Watches


def make_registry(watches: Watches) -> kopf.OperatorRegistry:
    """One handler per watched kind."""
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(_log_in)
    for kind in filter(watches.around.may_watch, WATCHED):
        watch = kopf.on.event(
            group=kind.group, version=kind.version, plural=kind.plural, registry=registry, id=kind.plural
        )
        watch(_handler(watches, kind))
    return registry


def _log_in(**known: Any) -> kopf.ConnectionInfo | None:
    """In a pod by its account, whose token changes; elsewhere as kubectl does."""
    return kopf.login_with_service_account(**known) or kopf.login_with_kubeconfig(**known)


def _handler(watches: Watches, kind: Kind) -> Callable[..., Any]:
    async def take(event: kopf.RawEvent, **_: Any) -> None:
        watches.saw(kind, event["type"], dict(event["object"]))

    return take


class _NoDifferences(kopf.DiffBaseStorage):
    """Nobody here asks what changed. kopf would copy every object for it, of whatever depth, at every event."""

    def build(self, **_: object) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, **_: object) -> None:
        return None

    def store(self, **_: object) -> None:
        return None


def make_settings(*, is_namespaced: bool) -> kopf.OperatorSettings:
    """kopf without what writes to objects, elects by itself, or waits for a person."""
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.scanning.disabled = is_namespaced  # it needs to list namespaces and CRDs
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=names.GROUP)
    settings.persistence.diffbase_storage = _NoDifferences()
    settings.watching.chunk_size = 500
    for kind in WATCHED:
        if kind in LABELLED:
            settings.watching.label_selectors[(kind.group, kind.plural)] = names.JOB_LABEL
    return settings
