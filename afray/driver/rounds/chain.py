"""The rounds before a selection, as `afray verify` walks them: each named by the digest of its certificate."""

from __future__ import annotations

import json
from collections.abc import Iterator

from afray.api.job import SelectionJob
from afray.api.loading import load_object
from afray.driver.certifying import JOB
from afray.driver.publishing import digest_outputs, published_digest
from afray.reporting import certificate as certificates
from afray.reporting.certificate import Certificate
from afray.reporting.verify import ABSENT, Check
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
        files = digest_outputs(output, certificate)
        for file, digest in sorted(certificate.outputs.items()):
            yield Check(what=output.address(file), certified=digest, found=files.get(file, ABSENT))
        job = load_object(json.loads(output.read(JOB)), output.address(JOB))
