"""The operator's image, built from operator/Dockerfile as a user would build it, but without a registry or an index.

The host downloads the wheels, pip in the build sees nothing else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from testbed import base_image
from testbed.buildah import Buildah
from testbed.cache import cached, keep_newest
from testbed.checkout import ROOT
from testbed.commands import run
from testbed.images import ARCHIVE
from testbed.steps import step

from afray import __version__

NAME = f"docker.io/library/afray-operator:{__version__}"
"""As the chart knows it: afray-operator:<version>."""
DOCKERFILE = ROOT / "operator" / "Dockerfile"
REQUIREMENTS = tuple(ROOT / "requirements" / f"{name}.txt" for name in ("bootstrap", "operator", "sbom"))
COPIED = ("pyproject.toml", "README.md", "LICENSE", "afray", "operator/afray_operator")
"""What the Dockerfile takes from the repository, beside the requirements."""
SBOM = "sbom.cdx.json"
"""Kept beside the archive: what is in the image."""
KEPT = 3
"""Images of earlier states of the sources."""
NO_INDEX = "see that pip reaches its index (`pip config list`), then run this again"


@cache
def operator_image() -> Path:
    """Return the archive of the image of this checkout's operator, as it is at the first call."""
    defined_by: list[str | bytes] = [NAME, base_image.base().parent.name, *_contents()]
    return cached("image-operator", defined_by, _make) / ARCHIVE


def wheels(requirements: Sequence[Path] = REQUIREMENTS) -> Path:
    """Return a folder with the wheels that an operator needs, each checked by its hash."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    defined_by: list[str | bytes] = [version, *(path.read_bytes() for path in requirements)]
    return cached("wheels-operator", defined_by, lambda folder: _download(folder, requirements))


def _download(folder: Path, requirements: Sequence[Path]) -> None:
    given = [word for path in requirements for word in ("--requirement", str(path))]
    options = ("--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "--require-hashes", "--dest", folder)
    with step("downloading the operator's wheels"):
        run([sys.executable, "-m", "pip", "download", *options, *given], remedy=NO_INDEX, environment=os.environ)


def _make(folder: Path) -> None:
    keep_newest("image-operator", KEPT)
    packages, base = wheels(), base_image.base()
    arguments = {"BASE": base_image.NAME, "PIP_OPTIONS": "--no-index --find-links /wheels"}
    with step("building the operator's image"), Buildah.open() as buildah:
        buildah.pull(base)
        buildah.build(NAME, DOCKERFILE, ROOT, arguments, [f"{packages}:/wheels:ro"])
        buildah.push(NAME, folder / ARCHIVE)
        buildah.extract(NAME, f"opt/afray/{SBOM}", folder / SBOM)


def _contents() -> Iterator[bytes]:
    yield DOCKERFILE.read_bytes()
    for path in (*REQUIREMENTS, *files(COPIED)):
        yield str(path.relative_to(ROOT)).encode()
        yield path.read_bytes()


def files(names: Iterable[str]) -> Iterator[Path]:
    """Yield the files below places of this checkout."""
    for name in names:
        place = ROOT / name
        found = sorted(place.rglob("*")) if place.is_dir() else [place]
        yield from (path for path in found if path.is_file() and "__pycache__" not in path.parts)
