"""Files under their final names: copies of what is committed, put there by whoever finds them missing or different.

    selection/files    the tables, the job and the certificate
    report/<name>      report.json and report.html

Light to import: a job that is done needs no more than this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from afray.reporting import certificate as certificates
from afray.reporting import report as reports
from afray.reporting.certificate import Certificate
from afray.reporting.digests import content_digest
from afray.storage.commits import SUFFIX, Commit, Fence, committed, read_blob
from afray.storage.store import ObjectMissing, Store

FILES = "selection/files"
"""The commit that holds everything but the report."""
REPORTS = "report"
HTML = "report.html"


def publish(output: Store, files: Mapping[str, bytes], *, fence: Fence) -> None:
    """Write files under their final names, in place of what is there."""
    for name, content in files.items():
        fence.check()
        if not output.create(name, content) and output.read(name) != content:
            output.overwrite(name, content)


def publish_commits(output: Store, report: Commit, *, fence: Fence) -> None:
    """Put every published file right that is missing or not as it was committed, the certificate after its tables.

    Raises IntegrityError if the committed bytes that would be needed are damaged.
    """
    files = committed(output, FILES)
    for stored in (files, report) if files else (report,):
        for name in sorted(stored.blobs, key=lambda name: (name == certificates.NAME, name)):
            blob = stored.blobs[name]
            if published_digest(output, name) != blob.sha256:
                publish(output, {name: read_blob(output, blob)}, fence=fence)


def published_digest(output: Store, name: str) -> str | None:
    """sha256 of a file as it is now, None if it is not there."""
    try:
        return content_digest(output.read(name))
    except ObjectMissing:
        return None


def digest_outputs(output: Store, certificate: Certificate) -> dict[str, str]:
    """sha256 of every certified file that is there."""
    found = {name: published_digest(output, name) for name in certificate.outputs}
    return {name: digest for name, digest in found.items() if digest is not None}


def find_commits(output: Store, folder: str) -> Iterator[Commit]:
    """Every commit below a folder of an output, by name. Raises IntegrityError for a damaged one."""
    for entry in output.list(folder):
        if entry.key.endswith(SUFFIX) and (found := committed(output, entry.key.removesuffix(SUFFIX))):
            yield found


def find_report(output: Store) -> Commit | None:
    """The committed report that the published one is nearest to: the same file by file, else any; None without one."""
    published = {name: published_digest(output, name) for name in (reports.NAME, HTML)}

    def alike(stored: Commit) -> int:
        return sum(stored.blobs[name].sha256 == digest for name, digest in published.items())

    return max(find_commits(output, REPORTS), key=alike, default=None)
