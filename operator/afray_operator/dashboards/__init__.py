"""The chart's two Grafana dashboards, as `python -m afray_operator.dashboards` writes them.

One is about a job, for whoever submitted it; the other about all jobs and the operator, for a platform team. Both ask
for metrics of docs/metrics.md alone; tests compare the files, and have Grafana's own schema judge them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from afray_operator.dashboards import fleet, job
from afray_operator.dashboards.boards import Board

FOLDER: Final = Path("charts/afray/files/dashboards")
BOARDS: Final[Mapping[Path, Board]] = {FOLDER / "job.json": job.BOARD, FOLDER / "fleet.json": fleet.BOARD}


def render(board: Board) -> str:
    """The file of a dashboard."""
    return json.dumps(board.to_json(), indent=1, ensure_ascii=False) + "\n"


def write(root: Path) -> None:
    """Write them below `root`, the repository."""
    for path, board in BOARDS.items():
        (root / path).write_text(render(board), encoding="utf-8")
        sys.stderr.write(f"wrote {path}\n")
