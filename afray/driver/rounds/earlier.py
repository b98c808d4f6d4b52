"""The round before this one, as its output tells: certificate, job, the rows that it selected, and what was known then.

Only read; an output that was edited since is refused with the name of what was edited.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import pyarrow.parquet as pq

from afray.api.job import SelectionJob
from afray.contract.outputs import SELECTED
from afray.driver.certifying import JOB, parse_job
from afray.driver.publishing import FILES
from afray.driver.rounds import answers
from afray.driver.rounds.answers import AllAnswers
from afray.errors import SpecError
from afray.reporting import certificate as certificates
from afray.reporting.certificate import Certificate
from afray.reporting.digests import content_digest
from afray.storage import addresses
from afray.storage.commits import committed, read_blob
from afray.storage.ownership import SELECTION
from afray.storage.reading import ReadOnlyStore
from afray.storage.store import ObjectMissing

FIELD = "spec.previous.certificate.uri"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EarlierRound:
    """A finished selection in its output."""

    output: ReadOnlyStore
    certificate: Certificate
    digest: str
    """sha256 of the certificate's file."""
    job: SelectionJob
    """As it ran, with full locations."""
    selected: tuple[str, ...]
    """Ids in rank order."""
    known: AllAnswers
    """What its own selection was made of: the rounds before it."""


def open_round(uri: str) -> EarlierRound:
    """The round whose certificate is at `uri`.

    Raises SpecError if there is none, IntegrityError for one that was edited or whose files were.
    """
    folder, name = addresses.split(uri)
    output = ReadOnlyStore.at(folder)
    try:
        content = output.read(name)
    except ObjectMissing:
        raise SpecError(FIELD, uri, "there is no certificate", "Name certificate.json of a finished run.") from None
    certificate = certificates.read(content)
    stored, selection = committed(output, FILES), committed(output, SELECTION)
    if stored is None or selection is None:
        problem = "the output of that round is not beside it"
        raise SpecError(FIELD, uri, problem, "Name the certificate in the output that the run wrote, not a copy.")
    if (found := content_digest(content)) != (wanted := stored.blobs[certificates.NAME].sha256):
        problem = f"it is another certificate (sha256 {found}) than the run wrote ({wanted})"
        raise SpecError(FIELD, uri, problem, "Restore it: `afray run` with that round's manifest does.")
    table = pq.read_table(io.BytesIO(read_blob(output, stored.blobs[SELECTED])), columns=["id"])
    kept = selection.blobs.get(answers.ROLE)
    return EarlierRound(
        output=output,
        certificate=certificate,
        digest=found,
        job=parse_job(read_blob(output, stored.blobs[JOB]), output),
        selected=tuple(table["id"].to_pylist()),
        known=answers.read(read_blob(output, kept)) if kept else AllAnswers(rounds=[]),
    )
