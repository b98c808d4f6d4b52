"""What two finished selections differ in: their specs field by field, what they saw, and the rows that they chose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from afray.driver.rounds.earlier import EarlierRound, open_round
from afray.reporting import certificate as certificates

ABSENT = "-"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing, as the first and as the second selection has it."""

    what: str
    first: str
    second: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two selections."""

    differences: tuple[Difference, ...]
    only_first: tuple[str, ...]
    """Ids, in rank order."""
    only_second: tuple[str, ...]
    both: tuple[str, ...]
    goes_on: bool
    """The second is the round after the first."""


def compare(first: str, second: str) -> Comparison:
    """The selections in two outputs (full locations). Raises what opening them raises."""
    one, other = (open_round(f"{uri.rstrip('/')}/{certificates.NAME}") for uri in (first, second))
    chosen, chosen_later = set(one.selected), set(other.selected)
    previous = other.certificate.previous
    return Comparison(
        differences=tuple(_differences(one, other)),
        only_first=tuple(row_id for row_id in one.selected if row_id not in chosen_later),
        only_second=tuple(row_id for row_id in other.selected if row_id not in chosen),
        both=tuple(row_id for row_id in one.selected if row_id in chosen_later),
        goes_on=previous is not None and previous.certificate == one.digest,
    )


def _differences(one: EarlierRound, other: EarlierRound) -> Iterator[Difference]:
    stated, stated_later = _statements(one), _statements(other)
    for what in [*stated, *(name for name in stated_later if name not in stated)]:
        first, second = stated.get(what, ABSENT), stated_later.get(what, ABSENT)
        if first != second:
            yield Difference(what, first, second)


def _statements(found: EarlierRound) -> dict[str, str]:
    """Everything about a selection that a person may want to see beside another's."""
    certificate = found.certificate
    spec = found.job.to_manifest()["spec"]
    return {
        **dict(_leaves("spec", spec)),
        "rows of the pool": str(certificate.index.rows),
        "digest of the index": certificate.index.digest,
        "fingerprint of the embeddings": certificate.embedding.fingerprint,
        "devices": ", ".join(certificate.embedding.devices),
        "rows with an answer before": str(certificate.previous.answered if certificate.previous else 0),
        "classes known before": str(len(set(found.known.labels.values()))),
        "rows selected": str(certificate.counters.selected),
        "afray": certificate.code.afray,
        **{f"library {name}": version for name, version in certificate.code.libraries.items()},
    }


def _leaves(path: str, value: JsonValue) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _leaves(f"{path}.{name}", below)
    else:
        yield path, str(value)
