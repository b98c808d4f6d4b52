"""A version, packed and kept: its chart, its wheel, the pinned requirements of both images.

Upgrade tests install from what is kept, so a version that is kept never changes.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tomllib
from pathlib import Path

from testbed import helm
from testbed.checkout import ROOT
from testbed.commands import Argument, run
from testbed.steps import StepFailed, step

RELEASES = ROOT / "tests" / "data" / "releases"
SUMS = "SHA256SUMS"
REQUIREMENTS = ("bootstrap.txt", "operator.txt", "run.txt")
"""Both images start from the first; then come those of the operator's, and of the driver's."""


def release() -> Path:
    """Pack the version that pyproject.toml names and return its folder. Raises StepFailed if it is kept already."""
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    folder: Path = RELEASES / version
    if folder.exists():
        remedy = "raise the version in pyproject.toml, charts/afray/Chart.yaml and afray.__version__ first"
        raise StepFailed(
            f"packing {version}", f"{folder.relative_to(ROOT)} is there, and versions do not change", remedy
        )
    folder.mkdir(parents=True)
    with step(f"packing {version}"):
        _pack(folder)
        sums = [f"{sha256(path)}  {path.name}\n" for path in sorted(folder.iterdir())]
        (folder / SUMS).write_text("".join(sums))
    return folder


def sha256(path: Path) -> str:
    """Digest of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _pack(folder: Path) -> None:
    run([helm.program(), "package", ROOT / "charts" / "afray", "--destination", folder], remedy=helm.READ_THE_MESSAGE)
    build: list[Argument] = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
    run(build, cwd=ROOT, remedy="hatchling's message says which file of the package it misses")
    for name in REQUIREMENTS:
        shutil.copy(ROOT / "requirements" / name, folder / name)
