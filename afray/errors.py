"""Every error that a user can meet, in one tree; the exit code is part of the type.

    AfrayError                 1    anything not below
    |- SpecError              64    a manifest breaks a rule: field, value, remedy
    |- PoolError              65    the pool's rows or labels are unusable as a whole
    |- StorageError           66    a location cannot be reached, read or written for good
    |- EnvironmentFault       67    this machine lacks what the spec asks for
    |- IntegrityError         68    stored bytes do not match their digests
    |- OwnershipError         69    another job owns the output
    |- Retryable              74    worth another attempt: store busy, disk full, worker lost
    |  '- Fenced              75    a newer driver took the output over; this one stops

Codes 64-69 are permanent (the operator does not retry), everything else is worth a retry.
"""

from __future__ import annotations


class AfrayError(Exception):
    """Base of all errors with a message made for the user: what, which value, what to do."""

    exit_code = 1


class SpecError(AfrayError):
    """A manifest breaks a rule. `field` is the dotted path, `remedy` the next step."""

    exit_code = 64

    def __init__(self, field: str, value: object, problem: str, remedy: str) -> None:
        # All arguments go to Exception, or unpickling in another process fails.
        super().__init__(field, value, problem, remedy)
        self.field, self.value, self.problem, self.remedy = field, value, problem, remedy

    def __str__(self) -> str:
        return f"{self.field}: {self.problem} (value: {self.value!r}). {self.remedy}"


class PoolError(AfrayError):
    """The pool or a label file is unusable as a whole (single bad rows are quarantined instead)."""

    exit_code = 65


class StorageError(AfrayError):
    """A location cannot be reached, read or written, and trying again will not help."""

    exit_code = 66


class EnvironmentFault(AfrayError):
    """The machine lacks what the spec asks for: a GPU, a driver, an installed extra."""

    exit_code = 67


class IntegrityError(AfrayError):
    """Stored bytes differ from the digests that were written with them."""

    exit_code = 68


class OwnershipError(AfrayError):
    """Another job owns the output location."""

    exit_code = 69


class Retryable(AfrayError):
    """The run can succeed if tried again; finished work is kept."""

    exit_code = 74


class Fenced(Retryable):
    """A driver with a higher epoch owns the output now."""

    exit_code = 75
