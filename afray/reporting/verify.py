"""Does an output still match its certificate? A comparison of facts; whoever calls it recomputes them.

Files come first, for they are cheap to hash; then index and embeddings, as the pipeline makes them, and last all that a
certificate says, beside one that was made again. Facts may be lazy iterables: nothing behind the first difference is
computed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from afray.reporting import facts
from afray.reporting.certificate import Certificate
from afray.reporting.digests import content_digest
from afray.reporting.facts import Facts

ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One fact of the certificate beside what was found."""

    what: str
    certified: str
    found: str

    @property
    def holds(self) -> bool:
        """Whether the two agree."""
        return self.certified == self.found

    def __str__(self) -> str:
        if self.holds:
            return f"{self.what}: {self.found}"
        return f"{self.what} differs: certified {self.certified}, found {self.found}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecomputedFacts:
    """What a verifier found. None, or an empty iterable, stands for "not recomputed"."""

    outputs: Mapping[str, str] | None = None
    """sha256 by name of the output files that exist; a certified one that is not here counts as absent."""
    index: str | None = None
    fingerprint: str | None = None
    shards: Iterable[tuple[int, str | None]] = ()
    """(shard, digest of its stored vectors); None if a shard is gone."""
    rows: Iterable[Check] = ()
    """Rows that were embedded again; see `row_check`."""
    remade: Iterable[Certificate] = ()
    """The certificate of the recomputed selection, at most one."""


def row_check(row_id: str, *, stored: str, embedded: str) -> Check:
    """Digest of a row's stored vector beside that of the vector embedded again."""
    return Check(what=f"vector of row {row_id}", certified=stored, found=embedded)


def checks(certificate: Certificate, found: RecomputedFacts) -> Iterator[Check]:
    """Every comparison that `found` allows, lazily, in order: files, index, embeddings by shard, rows, the rest."""
    if found.outputs is not None:
        for name in sorted(certificate.outputs.keys() | found.outputs.keys()):
            certified = certificate.outputs.get(name, ABSENT)
            yield Check(what=name, certified=certified, found=found.outputs.get(name, ABSENT))
    if found.index is not None:
        yield Check(what="index", certified=certificate.index.digest, found=found.index)
    if found.fingerprint is not None:
        certified = certificate.embedding.fingerprint
        yield Check(what="embedding fingerprint", certified=certified, found=found.fingerprint)
    shards = {shard.shard: shard.digest for shard in certificate.embedding.shards}
    for number, digest in found.shards:
        yield Check(what=f"embeddings shard {number}", certified=shards.get(number, ABSENT), found=digest or ABSENT)
    yield from found.rows
    for remade in found.remade:
        said = _statements(certificate)
        yield from (Check(what=what, certified=said[what], found=made) for what, made in _statements(remade).items())


def _statements(certificate: Certificate) -> dict[str, str]:
    """What a certificate says, but for the programs that ran, and for what other checks compare piece by piece."""
    embedding = facts.dump(certificate.embedding)
    shards = embedding.pop("shards")
    return {
        "specDigest": certificate.spec_digest,
        "seed": str(certificate.seed),
        "givenCores": certificate.given_cores or ABSENT,
        "size of the index": f"{certificate.index.rows} rows in {certificate.index.shards} shards",
        "model": _text(certificate.model),
        "decode": _text(certificate.decode),
        "embedding": json.dumps(embedding),
        "facts of the shards": content_digest(json.dumps(shards).encode()),
        "previous": _text(certificate.previous),
        "approximations": _text(certificate.approximations),
        "counters": _text(certificate.counters),
        "selection": certificate.selection_digest,
    }


def _text(found: Facts | None) -> str:
    return ABSENT if found is None else json.dumps(facts.dump(found), ensure_ascii=False)


def first_difference(certificate: Certificate, found: RecomputedFacts) -> Check | None:
    """The first fact that differs, with both values; None if all agree."""
    return next((check for check in checks(certificate, found) if not check.holds), None)
