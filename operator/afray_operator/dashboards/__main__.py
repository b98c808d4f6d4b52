"""Writes the dashboards into the chart of the checkout that it is called in."""

from __future__ import annotations

from pathlib import Path

from afray_operator import dashboards

if __name__ == "__main__":
    dashboards.write(Path())
