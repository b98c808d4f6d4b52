"""Reading a finished run back from its output alone."""

from __future__ import annotations

from afray.driver.reporting import HTML
from afray.errors import PoolError
from afray.reporting import page
from afray.reporting import report as reports
from afray.reporting.report import Report
from afray.storage.store import ObjectMissing, Store


def read_report(uri: str) -> Report:
    """The report of an output; draws report.html again, without pictures of rows, if it is gone."""
    output = Store.open(uri)
    try:
        report = reports.read(output.read(reports.NAME))
    except ObjectMissing:
        raise PoolError(
            f"{output.address(reports.NAME)}: there is no finished run here. Run `afray run` first"
        ) from None
    if output.head(HTML) is None:
        output.create(HTML, page.render(report))
    return report
