"""The commands that speak to a cluster, in the order in which a job meets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from afray.cli.delete import delete
from afray.cli.get import get
from afray.cli.logs import logs
from afray.cli.submit import submit
from afray.cli.suspend import resume, suspend
from afray.cli.watch import watch

CLUSTER_COMMANDS: Final[tuple[Callable[..., None], ...]] = (submit, get, watch, logs, suspend, resume, delete)
