"""Whose jobs are counted, where the count outlives the job: by namespace and queue, and not by ever more of them."""

from __future__ import annotations

from typing import Final

from afray_operator.observed import Observed

MOST_TEAMS: Final = 200
"""Anybody may write any queue on a job; further ones share a series without a namespace until the operator restarts."""
TEAM: Final = ("namespace", "queue")
"""Names of the labels."""


class Teams:
    """The teams that have series of their own."""

    def __init__(self) -> None:
        self._known: set[tuple[str, str]] = set()

    def of(self, seen: Observed) -> tuple[str, str]:
        """Namespace and queue, by its label; "" for no queue."""
        team = (seen.owner.namespace, seen.queue)
        if team not in self._known and len(self._known) >= MOST_TEAMS:
            return "", ""
        self._known.add(team)
        return team
