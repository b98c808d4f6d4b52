"""`afray version` tells what an installation holds, also where the heavy parts are missing."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata

import pytest
import torch
import typer
from typer.testing import CliRunner

from afray import __version__
from afray.cli import version as module
from afray.cli.version import PARTS, version

app = typer.Typer()
app.command()(version)


def told() -> dict[str, object]:
    found: dict[str, object] = json.loads(CliRunner().invoke(app, ["-o", "json"]).stdout)
    return found


def test_it_tells_every_part_with_its_version() -> None:
    found = told()
    assert (found["afray"], found["cuda"]) == (__version__, torch.version.cuda)
    assert found["extras"] == {part: {name: metadata.version(name) for name in names} for part, names in PARTS.items()}


def test_an_extra_that_is_not_all_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_ray(name: str) -> str:
        if name == "ray":
            raise metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(metadata, "version", without_ray)
    assert told()["extras"] == {
        part: None if "ray" in names else dict.fromkeys(names, "1.0") for part, names in PARTS.items()
    }
    table = CliRunner().invoke(app, []).stdout
    assert "afray[run]       not installed" in table


def test_without_torch_there_is_no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert told()["cuda"] is None
    assert "none: torch is built for the CPU, or not installed" in CliRunner().invoke(app, []).stdout


def test_it_imports_none_of_the_heavy_parts() -> None:
    program = "import sys\nfrom afray.cli.main import app\napp(['version'], standalone_mode=False)\n"
    program += "print(sorted({'torch', 'ray', 'numba'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert ended.stdout.splitlines()[-1] == "[]"
