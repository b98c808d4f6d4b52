"""Programs of the testbed, built from Go modules whose versions and checksums are committed beside this file.

Each program is an artifact of its own, so that an API server alone needs no more than etcd, kube-apiserver and kubectl.
The manifests that install KubeRay and Kueue come out of the same modules, without building them; of the Prometheus
operator the CRDs alone are wanted, of Grafana the code that it generates from the schema of dashboards.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from testbed.cache import cached, require_space
from testbed.commands import run
from testbed.steps import StepFailed, step

MODULES = Path(__file__).resolve().parent / "modules"
BUILD_FLAGS = ("-trimpath", "-buildvcs=false", "-ldflags")
STRIPPED = "-s -w"
STAMPED_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
BUILD_BYTES = 4_000_000_000
NO_GO = "install Go 1.26 or newer and put it on the PATH"
NO_BUILD = (
    "a module that cannot be downloaded needs a Go module proxy within reach (`go env GOPROXY` names the one in use); "
    "for a message of the compiler try `go clean -cache`; then run this again"
)


@dataclass(frozen=True, slots=True)
class Program:
    """A program, the folder whose go.mod pins it, and its package."""

    name: str
    folder: str
    package: str


@dataclass(frozen=True, slots=True)
class Source:
    """A folder within a module that a go.mod pins."""

    folder: str
    module: str
    path: str


KUBERNETES = ("kube-apiserver", "kubectl", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
PROGRAMS = {
    program.name: program
    for program in (
        Program("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
        *(Program(name, "kubernetes", f"k8s.io/kubernetes/cmd/{name}") for name in KUBERNETES),
        Program("coredns", "coredns", "."),
        Program("kuberay", "kuberay", "github.com/ray-project/kuberay/ray-operator"),
        Program("kueue", "kueue", "sigs.k8s.io/kueue/cmd/kueue"),
        Program("grafana-check", "grafana", "."),
    )
}
SOURCES = {
    "kuberay-config": Source("kuberay", "github.com/ray-project/kuberay/ray-operator", "config"),
    "kueue-chart": Source("kueue", "sigs.k8s.io/kueue", "charts/kueue"),
    "kueue-crds": Source("kueue", "sigs.k8s.io/kueue", "config/components/crd/bases"),
    "monitoring-crds": Source(
        "prometheus-operator", "github.com/prometheus-operator/prometheus-operator", "example/prometheus-operator-crd"
    ),
}
API_SERVER = ("etcd", "kube-apiserver", "kubectl")


def program(name: str) -> Path:
    """Return the path of a program, building it on the first call."""
    wanted = PROGRAMS[name]
    flags = _flags(wanted)
    defined_by: list[str | bytes] = [_go_version(), wanted.package, *flags, *_definition(wanted.folder)]
    return cached(name, defined_by, lambda folder: _build(wanted, flags, folder)) / name


def source(name: str) -> Path:
    """Return a copy of a folder of SOURCES, downloading its module on the first call."""
    wanted = SOURCES[name]
    defined_by: list[str | bytes] = [wanted.module, wanted.path, *_definition(wanted.folder)]
    return cached(name, defined_by, lambda folder: _copy(wanted, folder)) / "files"


def version(module: str, folder: str) -> str:
    """Return the version of a module that a committed go.mod asks for, such as v1.35.4."""
    found = re.search(rf"^\s*(?:require )?{re.escape(module)} (v\S+)", (MODULES / folder / "go.mod").read_text(), re.M)
    assert found is not None, f"{folder}/go.mod does not require {module}"
    return found[1]


def _build(wanted: Program, flags: tuple[str, ...], folder: Path) -> None:
    with step(f"building {wanted.name} (once; minutes on a cold cache)"):
        require_space(BUILD_BYTES, folder, f"building {wanted.name}")
        _go(wanted.folder, "build", *flags, "-o", str(folder / wanted.name), wanted.package)


def _copy(wanted: Source, folder: Path) -> None:
    with step(f"downloading {wanted.module}"):
        found = json.loads(_go(wanted.folder, "mod", "download", "-json", wanted.module))
    # Contents alone: files of the module cache are read-only, and would stay so.
    shutil.copytree(Path(found["Dir"]) / wanted.path, folder / "files", copy_function=shutil.copyfile)
    for copied in (folder / "files", *(folder / "files").rglob("*")):
        copied.chmod(0o755 if copied.is_dir() else 0o644)


def _definition(folder: str) -> list[bytes]:
    names = ("go.mod", "go.sum", "main.go")
    return [path.read_bytes() for name in names if (path := MODULES / folder / name).exists()]


def _flags(wanted: Program) -> tuple[str, ...]:
    if wanted.folder != "kubernetes":
        return (*BUILD_FLAGS, STRIPPED)
    release = version("k8s.io/kubernetes", "kubernetes")
    major, minor, _ = release.removeprefix("v").split(".")
    facts = {"gitVersion": release, "gitMajor": major, "gitMinor": minor}
    stamps = (f"-X {package}.{key}={value}" for package in STAMPED_PACKAGES for key, value in facts.items())
    return (*BUILD_FLAGS, " ".join((STRIPPED, *stamps)))


def _go(folder: str, *arguments: str) -> str:
    # Static, or an image from scratch could not hold it. GOFLAGS of the machine must not change what is cached.
    environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
    command = ["nice", "go", *arguments]
    return run(command, remedy=NO_BUILD, cwd=MODULES / folder, environment=environment)


@cache
def _go_version() -> str:
    if shutil.which("go") is None:
        raise StepFailed("looking for the Go toolchain", "there is no `go` on the PATH", NO_GO)
    return run(["go", "env", "GOVERSION"], remedy=NO_GO).strip()
