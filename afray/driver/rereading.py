"""Reading a finished run back from its output alone."""

from __future__ import annotations

from afray.driver.publishing import HTML, find_report
from afray.errors import PoolError
from afray.reporting import page
from afray.reporting import report as reports
from afray.reporting.digests import content_digest
from afray.reporting.report import Report
from afray.storage.commits import read_blob
from afray.storage.store import ObjectMissing, Store


def read_report(uri: str) -> Report:
    """The report of an output; puts report.html back if it is gone, or draws it without pictures if it cannot."""
    output = Store.open(uri)
    try:
        content = output.read(reports.NAME)
    except ObjectMissing:
        raise PoolError(
            f"{output.address(reports.NAME)}: there is no finished run here. Run `afray run` first"
        ) from None
    report = reports.read(content)
    if output.head(HTML) is None:
        stored = find_report(output)
        is_the_same = stored is not None and stored.blobs[reports.NAME].sha256 == content_digest(content)
        output.create(HTML, read_blob(output, stored.blobs[HTML]) if stored and is_the_same else page.render(report))
    return report
