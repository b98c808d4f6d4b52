"""The image of Ray pods, and what the operator's image is made from: a small Debian, made here by debootstrap.

It holds the libraries that this machine's Python asks for. The Python itself and its packages are gigabytes, so pods
mount them (see `environment`).
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from testbed import debian
from testbed.buildah import Buildah
from testbed.cache import cached, require_space
from testbed.commands import run
from testbed.images import ARCHIVE
from testbed.steps import step

from afray import __version__

NAME = f"docker.io/library/afray:{__version__}"
"""As manifests know it: afray:<version>."""
RELEASE = "bookworm"
PACKAGES = (
    "ca-certificates", "iproute2", "procps", "wget", "python3", "python3-venv", "libssl3", "libffi8", "libsqlite3-0",
    "libbz2-1.0", "liblzma5", "libreadline8", "zlib1g", "libgomp1", "libexpat1",
)  # fmt: skip
UNWANTED = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale", "var/log")
NEEDED_BYTES = 1_500_000_000
NO_MIRROR = "see that this machine reaches its Debian mirror, then run this again"


def base() -> Path:
    """Return the archive of the image."""
    return cached("image-base", [NAME, RELEASE, *PACKAGES, *UNWANTED], _make) / ARCHIVE


def _make(folder: Path) -> None:
    require_space(NEEDED_BYTES, folder, "making the base image")
    with tempfile.TemporaryDirectory(prefix="rootfs-", dir=folder) as place, Buildah.open() as buildah:
        tree = Path(place) / "tree"
        with step(f"installing Debian {RELEASE} for the base image (once)"):
            _install(tree)
        with step("packing the base image"):
            buildah.make(folder / ARCHIVE, NAME, tree, "/")


def _install(tree: Path) -> None:
    options = ("--variant=minbase", f"--include={','.join(PACKAGES)}")
    run(["debootstrap", *options, RELEASE, tree, debian.mirror()], remedy=NO_MIRROR)
    for name in UNWANTED:
        shutil.rmtree(tree / name)
        (tree / name).mkdir()
    (tree / "root").chmod(0o755)  # else users of pods could not walk to an interpreter below it
