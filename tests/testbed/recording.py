"""Everything that happens to the objects of a namespace while a block runs, as the API server's watches tell it."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testbed.commands import Argument
from testbed.gomodules import program
from testbed.kubectl import Kubectl
from testbed.processes import Service

KINDS = ("rayjobs.ray.io", "rayclusters.ray.io", "workloads.kueue.x-k8s.io", "pods", "configmaps")
"""What other controllers, and drivers, write for a SelectionJob."""
LAG_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One change of one object."""

    event: str
    """ADDED, MODIFIED or DELETED."""
    raw: dict[str, Any]

    @property
    def version(self) -> int:
        """Versions are those of the store: they order changes of all kinds."""
        return int(self.raw["metadata"]["resourceVersion"])


@dataclass(slots=True)
class Recording:
    """What was seen, in the order in which it happened; filled when the block has ended."""

    seen: list[Seen] = field(default_factory=list)


@contextmanager
def recorded(kubectl: Kubectl, namespace: str, kinds: Sequence[str] = KINDS) -> Iterator[Recording]:
    """Record while the block runs, and a moment longer: watches lag."""
    recording = Recording()
    with tempfile.TemporaryDirectory() as folder:
        watches = [_watch(kubectl, namespace, kind, Path(folder) / kind) for kind in kinds]
        try:
            yield recording
            time.sleep(LAG_SECONDS)
        finally:
            for watch in watches:
                watch.kill()
        found = [seen for watch in watches for seen in _read(watch.log.read_text())]
    recording.seen += sorted(found, key=lambda seen: seen.version)


def _watch(kubectl: Kubectl, namespace: str, kind: str, log: Path) -> Service:
    login: list[Argument] = [program("kubectl"), "--kubeconfig", kubectl.kubeconfig]
    watching = ["get", kind, "-n", namespace, "--watch", "--output-watch-events", "-o", "json"]
    return Service.start(kind, [*login, *watching], log=log)


def _read(text: str) -> Iterator[Seen]:
    """Objects of JSON one after the other; the last may be cut."""
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        try:
            told, end = decoder.raw_decode(text)
        except ValueError:
            return
        yield Seen(told["type"], told["object"])
        text = text[end:]
