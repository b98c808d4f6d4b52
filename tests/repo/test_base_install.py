"""What `pip install afray` gives without extras: a platform engineer's machine, and the operator's image."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers.repository import BUNDLED_TOOLS, ROOT

EXAMPLE = ROOT / "examples" / "fashion-mnist.yaml"
DATA_PLANE = ("torch", "torchvision", "timm", "ray", "numpy", "pyarrow", "numba", "scipy", "sklearn", "plotly", "PIL")


@dataclass(frozen=True)
class Installation:
    """A virtual environment with the wheel and its pinned dependencies, and an empty folder to work in."""

    wheel: Path
    bin: Path
    folder: Path

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment as a user would, with nothing of the checkout on its path."""
        environment = {"PATH": os.defpath, "HOME": str(self.folder), "PYTHONSAFEPATH": "1"}
        command = [str(self.bin / program), *arguments]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    folder = tmp_path_factory.mktemp("base")
    _tool("hatchling", "build", "--target", "wheel", "--directory", str(folder / "dist"))
    (wheel,) = (folder / "dist").glob("*.whl")
    python = folder / "venv" / "bin" / "python"
    _tool("uv", "venv", "--quiet", "--python", str(BUNDLED_TOOLS / "python"), str(folder / "venv"))
    into = ("pip", "install", "--quiet", "--python", str(python))
    _tool("uv", *into, "--require-hashes", "--requirement", "requirements/base.txt")
    _tool("uv", *into, "--no-deps", str(wheel))
    (folder / "work").mkdir()
    return Installation(wheel=wheel, bin=python.parent, folder=folder / "work")


def _tool(name: str, *arguments: str) -> None:
    ended = subprocess.run([str(BUNDLED_TOOLS / name), *arguments], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, f"{name} {' '.join(arguments)}\n{ended.stdout}{ended.stderr}"


def test_the_wheel_holds_the_package_its_templates_and_its_licence(base: Installation) -> None:
    names = set(zipfile.ZipFile(base.wheel).namelist())
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"afray", "afray_operator"}
    templates = {str(path.relative_to(ROOT)) for path in ROOT.glob("afray/*/templates/*")}
    assert templates
    assert templates <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_base_install_has_no_data_plane(base: Installation) -> None:
    code = f"import importlib.util as u, json; print(json.dumps([n for n in {DATA_PLANE!r} if u.find_spec(n)]))"
    assert json.loads(base.run("python", "-c", code).stdout) == []


def test_the_base_install_runs_its_own_copy_of_afray(base: Installation) -> None:
    printed = base.run("python", "-c", "import afray; print(afray.__file__)").stdout
    assert printed.startswith(str(base.bin.parent))


def test_the_base_install_says_its_version(base: Installation) -> None:
    ended = base.run("afray", "--version")
    version = base.run("python", "-c", "from importlib.metadata import version; print(version('afray'))").stdout
    assert (ended.returncode, ended.stdout) == (0, f"afray {version}"), ended.stderr


def test_the_base_install_shows_help_of_every_command(base: Installation) -> None:
    ended = base.run("afray", "--help")
    assert ended.returncode == 0, ended.stderr
    assert {"run", "validate", "estimate", "verify", "report", "bench", "submit", "watch"} <= set(ended.stdout.split())


def test_the_base_install_brings_the_plugin_of_kubectl(base: Installation) -> None:
    ended = base.run("kubectl-afray", "--help")
    assert ended.returncode == 0, ended.stderr
    commands = set(ended.stdout.split())
    assert {"validate", "submit", "get", "watch", "logs", "suspend", "resume", "delete"} <= commands
    assert "bench" not in commands


@pytest.mark.parametrize("example", sorted(ROOT.glob("examples/*.yaml")), ids=lambda path: path.name)
def test_the_base_install_validates_manifests_offline(base: Installation, example: Path) -> None:
    ended = base.run("afray", "validate", "--offline", str(example))
    assert ended.returncode == 0, ended.stderr
    assert "valid" in ended.stdout


def test_the_base_install_refuses_a_broken_manifest(base: Installation) -> None:
    broken = base.folder / "broken.yaml"
    broken.write_text(EXAMPLE.read_text().replace("count: 100", "count: -5"))
    ended = base.run("afray", "validate", "--offline", str(broken))
    assert ended.returncode == 64
    assert "spec.selection.budget.count" in ended.stderr
    assert "-5" in ended.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("run", str(EXAMPLE)),
        ("validate", str(EXAMPLE)),
        ("estimate", str(EXAMPLE)),
        ("bench", str(EXAMPLE), "--results", "bench"),
        ("verify", "out"),
        ("report", "out"),
    ],
    ids=lambda command: command[0],
)
def test_the_base_install_names_the_extra_that_work_on_rows_needs(base: Installation, command: tuple[str, ...]) -> None:
    ended = base.run("afray", *command)
    assert ended.returncode == 67, ended.stderr
    assert "pip install 'afray[run]'" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize("command", ["get", "watch", "logs", "suspend", "resume", "delete"])
def test_the_base_install_names_the_extra_that_a_cluster_needs(base: Installation, command: str) -> None:
    check_cluster_extra_is_named(base.run("afray", command, "weld-pilot"))
    check_cluster_extra_is_named(base.run("kubectl-afray", command, "weld-pilot"))


def test_the_base_install_checks_a_manifest_before_it_misses_the_client(base: Installation) -> None:
    check_cluster_extra_is_named(base.run("afray", "submit", str(ROOT / "examples" / "cluster.yaml")))
    refused = base.run("afray", "submit", str(EXAMPLE))
    assert refused.returncode == 64
    assert "spec.runtime" in refused.stderr


def check_cluster_extra_is_named(ended: subprocess.CompletedProcess[str]) -> None:
    assert (ended.returncode, ended.stdout) == (67, "")
    assert "pip install 'afray[cluster]'" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
