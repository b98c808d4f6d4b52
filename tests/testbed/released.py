"""A version that is kept, as it was installed in its day: its chart, its operator, the Python of its Ray pods."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed import base_image, operator_image
from testbed.buildah import Buildah
from testbed.cache import cached, require_space
from testbed.commands import Argument, run
from testbed.images import ARCHIVE
from testbed.release import RELEASES, SUMS
from testbed.steps import step

DOCKERFILE = Path(__file__).resolve().parent / "Released.Dockerfile"
ENVIRONMENT_BYTES = 8_000_000_000
"""If nothing of it can be linked to what is installed already."""
NO_INDEX = "see that pip reaches its index (`pip config list`), then run this again"


@dataclass(frozen=True, slots=True)
class Released:
    """One version."""

    version: str

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        return RELEASES / self.version

    @property
    def chart(self) -> Path:
        """Its chart, packed."""
        return self.folder / f"afray-{self.version}.tgz"

    @property
    def wheel(self) -> Path:
        """All its Python."""
        (found,) = self.folder.glob("*.whl")
        return found

    def image(self) -> Path:
        """Return the archive of its operator's image, called as its chart knows it."""
        name = f"docker.io/library/afray-operator:{self.version}"
        packages, base = operator_image.wheels(self._requirements("bootstrap", "operator")), base_image.base()

        def make(folder: Path) -> None:
            arguments = {"BASE": base_image.NAME}
            with step(f"building the operator's image of {self.version}"), Buildah.open() as buildah:
                buildah.pull(base)
                buildah.build(name, DOCKERFILE, self.folder, arguments, [f"{packages}:/wheels:ro"])
                buildah.push(name, folder / ARCHIVE)

        defined_by: list[str | bytes] = [
            name,
            base.parent.name,
            DOCKERFILE.read_bytes(),
            (self.folder / SUMS).read_bytes(),
        ]
        return cached(f"image-operator-{self.version}", defined_by, make) / ARCHIVE

    def environment(self) -> Path:
        """Return a virtual environment with its pinned packages and its wheel, for Ray pods to mount."""
        given: list[Argument] = []
        for path in self._requirements("bootstrap", "run"):
            given += ["--requirement", path]

        def make(folder: Path) -> None:
            require_space(ENVIRONMENT_BYTES, folder, f"installing the environment of {self.version}")
            with step(f"installing the environment of {self.version}"):
                uv, venv = Path(sys.prefix) / "bin" / "uv", folder / "venv"
                # Relocatable: the folder gets its place when it is whole.
                run([uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, venv], remedy=NO_INDEX)
                # With bytecode: pods mount it read-only, and every process of Ray would compile torch for itself.
                install: list[Argument] = [uv, "pip", "install", "--quiet", "--compile-bytecode"]
                install += ["--python", venv / "bin" / "python"]
                run([*install, "--require-hashes", *given], remedy=NO_INDEX, environment=os.environ)
                run([*install, "--no-deps", self.wheel], remedy=NO_INDEX, environment=os.environ)

        defined_by: list[str | bytes] = [sys.version, sys.base_prefix, (self.folder / SUMS).read_bytes()]
        venv = cached(f"environment-{self.version}", defined_by, make) / "venv"
        # Pods see this program mounted elsewhere, too, where one that looks beside itself finds no environment.
        (venv / "bin" / "ray").write_text(f"#!{venv}/bin/python\nfrom ray.scripts.scripts import main\n\nmain()\n")
        return venv

    def _requirements(self, *names: str) -> Sequence[Path]:
        return [self.folder / f"{name}.txt" for name in names]
