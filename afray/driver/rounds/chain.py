"""The rounds before a selection, as `afray verify` walks them: each named by the digest of its certificate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from afray.api.job import SelectionJob
from afray.driver.certifying import read_job
from afray.driver.publishing import digest_outputs, published_digest
from afray.reporting import certificate as certificates
from afray.reporting.certificate import Certificate
from afray.reporting.verify import ABSENT, Check, RecomputedFacts, checks
from afray.storage import addresses
from afray.storage.reading import ReadOnlyStore


def check_chain(job: SelectionJob, certificate: Certificate) -> Iterator[Check]:
    """Certificate and files of every round before, the newest first, up to the first one whose certificate differs.

    Raises IntegrityError for a certificate that was edited.
    """
    while certificate.previous is not None:
        assert job.spec.previous is not None, "a certificate that names a round comes from a job that does"
        folder, name = addresses.split(job.spec.previous.certificate.uri)
        output = ReadOnlyStore.at(folder)
        found = published_digest(output, name) or ABSENT
        yield Check(what=output.address(name), certified=certificate.previous.certificate, found=found)
        if found != certificate.previous.certificate:
            return
        certificate = certificates.read(output.read(name))
        for check in checks(certificate, RecomputedFacts(outputs=digest_outputs(output, certificate))):
            yield replace(check, what=output.address(check.what))
        job = read_job(output)
