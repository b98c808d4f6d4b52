"""`python -m afray.driver`: the entrypoint of the Ray job that runs a stage of a SelectionJob."""

from __future__ import annotations

import os
import sys

from afray.driver.on_cluster.driving import run_driver

if __name__ == "__main__":
    sys.exit(run_driver(os.environ))
