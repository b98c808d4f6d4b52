"""What there is to watch: the kinds that the API server knows, and where this operator may read them."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from afray_operator.api import Api, ForbiddenError, say
from afray_operator.kinds import OPTIONAL, RAY_JOB, WATCHED, WORKLOAD, Kind
from afray_operator.observed import Offers

log = logging.getLogger(__name__)

_BIND: Final = "Bind the operator's role there (watchNamespaces of the chart), or do not name the namespace."
_GRANT: Final = "Jobs run all the same, but can not say why they wait. Grant get, list and watch of them."


class OutdatedWatches(Exception):
    """Other watches are needed than those that run: the process starts anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What was found when everything was last listed."""

    known: frozenset[Kind] = frozenset()
    """Of the watched kinds those that the API server knows."""
    closed: frozenset[str] = frozenset()
    """Of the named namespaces those that may not be read: nothing there is seen, and the jobs of the others go on."""
    may_read_workloads: bool = True
    """False if one namespace refuses them: kopf watches a kind in all namespaces or in none."""

    @property
    def offers(self) -> Offers:
        """What jobs are told of it."""
        return Offers(
            ray_job=RAY_JOB in self.known,
            kueue=WORKLOAD in self.known,
            kueue_readable=self.may_read_workloads,
        )

    def may_list(self, kind: Kind) -> bool:
        """Whether objects of a kind can be listed and watched."""
        return kind in self.known and self.may_watch(kind)

    def may_watch(self, kind: Kind) -> bool:
        """Whether a watch of a kind is refused by nobody; of a kind that is not known, one waits until it is."""
        return kind != WORKLOAD or self.may_read_workloads


async def look_around(api: Api, namespaces: Collection[str]) -> Surroundings:
    """Ask the API server. Raises OutdatedWatches if none of the named namespaces can be read."""
    known = frozenset([kind for kind in WATCHED if kind not in OPTIONAL or await api.offers(kind)])
    needed = [kind for kind in WATCHED if kind in known and kind != WORKLOAD]
    closed = frozenset([name for name in namespaces if not await _may_read(api, needed, name)])
    if closed and len(closed) == len(namespaces):
        raise OutdatedWatches(f"no namespace can be read ({', '.join(sorted(closed))}). {_BIND}")
    readable = [name for name in namespaces if name not in closed]
    may_read_workloads = WORKLOAD not in known or await _may_read_workloads(api, readable or [None])
    return Surroundings(known=known, closed=closed, may_read_workloads=may_read_workloads)


async def _may_read(api: Api, kinds: Iterable[Kind], namespace: str) -> bool:
    for kind in kinds:
        try:
            await api.peek(kind, namespace)
        except ForbiddenError as error:
            log.error("namespace %s is left out: %s. %s", namespace, say(error), _BIND)
            return False
    return True


async def _may_read_workloads(api: Api, namespaces: Iterable[str | None]) -> bool:
    """The right to them is optional, as Kueue is."""
    for namespace in namespaces:
        try:
            await api.peek(WORKLOAD, namespace)
        except ForbiddenError as error:
            log.warning("Kueue's Workloads are not read: %s. %s", say(error), _GRANT)
            return False
    return True
