"""What a driver says when it gives up: exit code, class and first cause, told by the error alone."""

from __future__ import annotations

from dataclasses import dataclass

from afray.api.problems import InvalidManifest
from afray.contract.progress import Failure, one_line
from afray.errors import AfrayError, Retryable

UNKNOWN = 1
"""Exit code of what nobody foresaw; worth another attempt, since most of it is the machine's doing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """An error in the words of the contract."""

    exit_code: int
    reason: str
    message: str
    is_foreseen: bool
    """The message says all; otherwise a traceback is worth having."""

    def to_failure(self, log_uri: str) -> Failure:
        """As it goes into the progress payload."""
        return Failure(exit_code=self.exit_code, reason=self.reason[:64], message=self.message, log_uri=log_uri)


def find_cause(error: BaseException) -> Cause:
    """Classify an error."""
    reason = type(error).__name__
    if isinstance(error, AfrayError):
        said = str(error.problems[0]) if isinstance(error, InvalidManifest) else str(error)
        return Cause(exit_code=error.exit_code, reason=reason, message=one_line(said), is_foreseen=True)
    said = one_line(f"{reason}: {error}")
    is_retryable = isinstance(error, MemoryError) or _is_of_ray(error)
    return Cause(
        exit_code=Retryable.exit_code if is_retryable else UNKNOWN, reason=reason, message=said, is_foreseen=False
    )


def _is_of_ray(error: BaseException) -> bool:
    """Ray's own errors tell of lost nodes, full stores and broken connections. Asked by name: Ray may not be loaded."""
    return any(kind.__module__.partition(".")[0] == "ray" for kind in type(error).__mro__)
