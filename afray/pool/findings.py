"""What there is to say about a label file, thing by thing.

The rules are written once. Whoever needs usable labels refuses a file at its first fault; whoever wants to know all
that is wrong with it collects them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from afray.errors import PoolError

NAMED = 5
"""Rows that a message names; it counts the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing, and what to do about it."""

    problem: str
    """With the values, and without a full stop."""
    remedy: str
    where: str = ""
    """Line, row or task of the file; empty where it is about the file as a whole."""
    rows: Mapping[str, str] = field(default_factory=dict)
    """Every row that it is about, by id, with what is to say of this one."""

    def __str__(self) -> str:
        return f"{self.problem}. {self.remedy}"


Complain = Callable[[Finding], None]
"""Takes a fault of a file. It may raise; if it returns, reading goes on without what was faulty."""


def refusal(source: str, fault: Finding) -> PoolError:
    """The fault as an error; `source` is the file's address, or the field that names it."""
    where = f"{source}, {fault.where}" if fault.where else source
    return PoolError(f"{where}: {fault}")


def refusing(source: str) -> Complain:
    """Raises PoolError at the first fault."""

    def complain(fault: Finding) -> None:
        raise refusal(source, fault)

    return complain


def require_none(source: str, faults: Iterable[Finding]) -> None:
    """Raises PoolError at the first fault."""
    for fault in faults:
        raise refusal(source, fault)


def name_some(row_ids: Sequence[str]) -> str:
    """The first few ids, and how many more there are."""
    more = f" and {len(row_ids) - NAMED} more" if len(row_ids) > NAMED else ""
    return ", ".join(map(repr, row_ids[:NAMED])) + more
