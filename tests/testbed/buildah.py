"""Builds images without a daemon: buildah, with a store that nobody shares and that is removed after the build."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed import cache
from testbed.commands import Argument, run

REMEDY = "buildah's message says which instruction failed; it needs root and space for the image below AFRAY_CACHE"


@dataclass(frozen=True, slots=True)
class Buildah:
    """A store of images in a temporary folder."""

    store: Path

    @classmethod
    @contextmanager
    def open(cls) -> Iterator[Buildah]:
        """Make the store, and remove it afterwards."""
        cache.root().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".buildah-", dir=cache.root()) as folder:
            yield cls(Path(folder))

    def make(
        self, archive: Path, name: str, content: Path, place: str, *, user: str = "", entrypoint: str = ""
    ) -> None:
        """Make an image that holds one file or the contents of a folder, and nothing else."""
        container = self("from", "scratch").strip()
        self("copy", "--quiet", container, content, place)
        if entrypoint:
            self("config", "--entrypoint", f'["{entrypoint}"]', "--user", user, container)
        self("commit", "--quiet", "--rm", container, name)
        self.push(name, archive)

    def pull(self, archive: Path) -> None:
        """Take an image out of an archive, under the name that it has there."""
        self("pull", "--quiet", f"oci-archive:{archive}")

    def build(
        self, name: str, dockerfile: Path, context: Path, arguments: Mapping[str, str], volumes: Sequence[str]
    ) -> None:
        """Run a Dockerfile without network namespaces, containers or privileges beyond a chroot."""
        given = [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
        mounted = [word for volume in volumes for word in ("--volume", volume)]
        options = ("--isolation", "chroot", "--pull-never", "--quiet", "--file", dockerfile, "--tag", name)
        self("bud", *options, *given, *mounted, context)

    def push(self, name: str, archive: Path) -> None:
        """Write an image into an archive."""
        self("push", "--quiet", name, f"oci-archive:{archive}:{name}")

    def extract(self, name: str, path: str, target: Path) -> None:
        """Copy a file out of an image."""
        container = self("from", "--pull-never", name).strip()
        shutil.copy(Path(self("mount", container).strip()) / path, target)
        self("rm", container)

    def __call__(self, *arguments: Argument) -> str:
        """Run buildah on this store."""
        places = ("--root", self.store / "root", "--runroot", self.store / "run", "--storage-driver", "overlay")
        return run(["buildah", *places, *arguments], remedy=REMEDY)
