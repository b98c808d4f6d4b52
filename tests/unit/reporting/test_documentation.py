"""The page for users is checked where it makes promises that code can keep."""

import re
import subprocess
import sys
from pathlib import Path

from helpers import reports

from afray.reporting import summary, tables

PAGE = (Path(__file__).parents[3] / "docs" / "report.md").read_text(encoding="utf-8")


def test_the_recipe_for_the_digest_gives_the_digest(tmp_path: Path) -> None:
    (recipe,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    data = reports.make_report_data(ids=[f'"{row}", ü\n日.png' for row in range(300)])
    (tmp_path / "selection.csv").write_bytes(tables.to_csv(data.tables.selection))
    printed = subprocess.run([sys.executable, "-c", recipe], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == summary.build_report(data).selection_digest


def test_every_column_of_every_file_is_explained() -> None:
    for schema in (
        tables.SELECTION_SCHEMA,
        tables.EXCLUDED_SCHEMA,
        tables.QUARANTINE_SCHEMA,
        tables.DUPLICATES_SCHEMA,
    ):
        assert [name for name in schema.names if f"`{name}`" not in PAGE] == []
