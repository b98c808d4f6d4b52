"""Images for the nodes, as OCI archives in the cache: no registry is asked, none is needed."""

from __future__ import annotations

from pathlib import Path

from testbed.buildah import Buildah
from testbed.cache import cached
from testbed.commands import run
from testbed.gomodules import program, version
from testbed.node_files import PAUSE
from testbed.steps import step

ARCHIVE = "image.tar"
PAUSE_SOURCE = Path(__file__).resolve().parent / "node" / "pause.c"
NO_COMPILER = "install gcc and libc6-dev (any C compiler named cc that links statically)"
KUBERAY = "localhost/kuberay:" + version("github.com/ray-project/kuberay/ray-operator", "kuberay")
KUEUE = "localhost/kueue:" + version("sigs.k8s.io/kueue", "kueue")
NOBODY = "65532:65532"


def pause() -> Path:
    """Return the image of the process that holds a pod's namespaces."""

    def make(folder: Path) -> None:
        compiled = folder / "pause"
        run(["cc", "-static", "-O2", "-o", compiled, PAUSE_SOURCE], remedy=NO_COMPILER)
        _from_scratch(folder, PAUSE, compiled, "/pause")
        compiled.unlink()

    return cached("image-pause", [PAUSE, PAUSE_SOURCE.read_bytes()], make) / ARCHIVE


def kuberay() -> Path:
    """Return KubeRay's image: its program alone, where its Deployment expects it."""
    return _of_program(program("kuberay"), KUBERAY, "/manager")


def kueue() -> Path:
    """Return Kueue's image: its program alone."""
    return _of_program(program("kueue"), KUEUE, "/manager")


def _of_program(path: Path, name: str, place: str) -> Path:
    key = [name, place, path.parent.name]
    return cached(f"image-{path.name}", key, lambda folder: _from_scratch(folder, name, path, place)) / ARCHIVE


def _from_scratch(folder: Path, name: str, path: Path, place: str) -> None:
    with step(f"making the image {name}"), Buildah.open() as buildah:
        buildah.make(folder / ARCHIVE, name, path, place, user=NOBODY, entrypoint=place)
