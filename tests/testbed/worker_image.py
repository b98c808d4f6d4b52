"""The image of Ray pods as a user builds it from worker/Dockerfile, with torch and CUDA's libraries: gigabytes.

Most tests mount this machine's own Python into a small image instead. Without an index: what pip needs is downloaded by
the host, and uv finds the rest in the host's own cache, from which this environment was installed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from testbed import base_image
from testbed.buildah import Buildah
from testbed.cache import cached, keep_newest, require_space
from testbed.checkout import ROOT
from testbed.commands import run
from testbed.images import ARCHIVE
from testbed.operator_image import COPIED, SBOM, files, wheels
from testbed.steps import step

from afray import __version__

NAME = f"docker.io/library/afray-whole:{__version__}"
DOCKERFILE = ROOT / "worker" / "Dockerfile"
REQUIREMENTS = tuple(ROOT / "requirements" / f"{name}.txt" for name in ("bootstrap", "sbom", "run"))
NEEDED_BYTES = 40_000_000_000
"""Of every stage, the store has a copy."""
KEPT = 1
NO_UV = "uv is installed by `make .venv/.installed`"


def worker_image() -> Path:
    """Return the archive of the image of this checkout."""
    contents = (path.read_bytes() for path in (DOCKERFILE, *REQUIREMENTS, *files(COPIED)))
    return cached("image-worker", [NAME, base_image.base().parent.name, *contents], _make) / ARCHIVE


def _make(folder: Path) -> None:
    require_space(NEEDED_BYTES, folder, "building the image of Ray pods")
    keep_newest("image-worker", KEPT)
    bootstrap, sbom, _ = REQUIREMENTS
    packages, base = wheels((bootstrap, sbom)), base_image.base()
    uv_cache = run([Path(sys.prefix) / "bin" / "uv", "cache", "dir"], remedy=NO_UV, environment=os.environ).strip()
    arguments = {
        "BASE": base_image.NAME,
        "PIP_OPTIONS": "--no-index --find-links /wheels",
        "UV_OPTIONS": "--offline --cache-dir /uv",
    }
    with step("building the image of Ray pods"), Buildah.open() as buildah:
        buildah.pull(base)
        buildah.build(NAME, DOCKERFILE, ROOT, arguments, [f"{packages}:/wheels:ro", f"{uv_cache}:/uv"])
        buildah.push(NAME, folder / ARCHIVE)
        buildah.extract(NAME, f"opt/afray/{SBOM}", folder / SBOM)
