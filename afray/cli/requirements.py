"""Commands that compute need more than the base install; this says so before an import fails."""

from __future__ import annotations

from importlib.util import find_spec

from afray.errors import EnvironmentFault

NEEDED = ("ray", "torch", "numba", "pyarrow")


def require_run_extra(command: str) -> None:
    """Raises EnvironmentFault naming the command that installs what is missing."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise EnvironmentFault(f"{command}: {', '.join(missing)} not installed. Install with: pip install 'afray[run]'")


def require_cluster_extra(command: str) -> None:
    """Raises EnvironmentFault naming the command that installs the official client of Kubernetes."""
    if find_spec("kubernetes") is None:
        raise EnvironmentFault(f"{command}: kubernetes not installed. Install with: pip install 'afray[cluster]'")
