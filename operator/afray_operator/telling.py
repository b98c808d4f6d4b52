"""Events for people. Named by what happened, so the same change told twice is one event; none is worth a failure."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from kubernetes.aio.client.exceptions import ApiException

from afray.api.job import API_VERSION, KIND
from afray_operator.api import UNREACHABLE, Api, ConflictError, say
from afray_operator.cache import JobKey
from afray_operator.decide.event_kinds import Event
from afray_operator.kinds import EVENT
from afray_operator.leader import Leadership
from afray_operator.manifests.ownership import Owner
from afray_operator.metrics import OperatorMetrics

log = logging.getLogger(__name__)

CONTROLLER: Final = "afray.dev/operator"
LONGEST_NOTE: Final = 1000


@dataclass(frozen=True, slots=True)
class Teller:
    """Posts events in the name of this process."""

    api: Api
    leadership: Leadership
    metrics: OperatorMetrics
    instance: str

    async def tell(self, owner: Owner, event: Event) -> None:
        """Post one event, unless it is there."""
        self.leadership.check()
        self.metrics.writes.labels(EVENT.kind, "create").inc()
        try:
            await self.api.create(EVENT, to_manifest(owner, event, self.instance, datetime.now(UTC)))
        except ConflictError:
            return
        except (ApiException, *UNREACHABLE) as error:
            reason = say(error) if isinstance(error, ApiException) else error
            log.warning(
                "event %s not posted: %s",
                event.reason.value,
                reason,
                extra={"job": JobKey(owner.namespace, owner.name)},
            )


def to_manifest(owner: Owner, event: Event, instance: str, now: datetime) -> dict[str, Any]:
    """The event as an object of events.k8s.io/v1."""
    what = "\0".join([owner.uid, event.reason.value, event.key])
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {
            "name": f"{owner.name}.{hashlib.sha256(what.encode()).hexdigest()[:16]}",
            "namespace": owner.namespace,
        },
        "eventTime": now.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "reportingController": CONTROLLER,
        "reportingInstance": instance[:128],
        "action": event.reason.value,
        "reason": event.reason.value,
        "type": "Warning" if event.is_warning else "Normal",
        "note": event.note[:LONGEST_NOTE],
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": owner.name,
            "namespace": owner.namespace,
            "uid": owner.uid,
        },
    }
