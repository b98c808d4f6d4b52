"""What can go wrong between the command line and a cluster, each in one line with the next step.

What the machine lacks (no kubeconfig, no CRD, expired credentials) is an EnvironmentFault.
"""

from __future__ import annotations

from afray.errors import AfrayError, OwnershipError, PoolError, Retryable, StorageError


class ClusterFault(AfrayError):
    """The cluster has no such object, or does not let us have it; trying again will not help."""

    exit_code = StorageError.exit_code


class JobMissing(ClusterFault):
    """There is no SelectionJob of this name."""

    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(name, namespace)
        self.name, self.namespace = name, namespace

    def __str__(self) -> str:
        return (
            f"there is no SelectionJob {self.name!r} in namespace {self.namespace!r}. "
            "See which there are: afray get --all-namespaces"
        )


class JobDeleted(ClusterFault):
    """The job was deleted while somebody watched it."""


class NotPermitted(ClusterFault):
    """The user lacks a permission."""


class NothingLogged(ClusterFault):
    """No driver of this attempt has written a log."""


class JobExists(OwnershipError):
    """Another job has this name."""


class JobFailed(AfrayError):
    """The watched job gave up."""


class LabelsRefused(PoolError):
    """The watched job's label file is not accepted."""


class ServerUnreachable(Retryable):
    """The API server does not answer, or is too busy to."""


class HistoryExpired(Retryable):
    """The API server no longer knows what happened since the version that was asked for (410 Gone)."""


class StillUnderWay(Retryable):
    """The job has not ended in the time that was given."""
