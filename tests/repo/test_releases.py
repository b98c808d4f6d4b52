"""Versions that are kept for upgrade tests: whole, unchanged, and what their names say."""

from __future__ import annotations

import email
import io
import re
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml
from testbed.release import RELEASES, REQUIREMENTS, SUMS, sha256

KEPT = sorted(path.name for path in RELEASES.iterdir())


@pytest.fixture(params=KEPT)
def folder(request: pytest.FixtureRequest) -> Path:
    return RELEASES / str(request.param)


def chart_file(folder: Path, name: str) -> bytes:
    with tarfile.open(folder / f"afray-{folder.name}.tgz") as chart:
        found = chart.extractfile(f"afray/{name}")
        assert found is not None
        return found.read()


def test_the_first_version_is_kept() -> None:
    assert "0.1.0" in KEPT


def test_nothing_of_a_version_changed_since_it_was_packed(folder: Path) -> None:
    sums = {line.split()[1]: line.split()[0] for line in (folder / SUMS).read_text().splitlines()}
    assert sums == {path.name: sha256(path) for path in folder.iterdir() if path.name != SUMS}


def test_the_wheel_holds_operator_and_driver_of_that_version(folder: Path) -> None:
    with zipfile.ZipFile(folder / f"afray-{folder.name}-py3-none-any.whl") as wheel:
        names = set(wheel.namelist())
        metadata = email.message_from_bytes(wheel.read(f"afray-{folder.name}.dist-info/METADATA"))
        scripts = wheel.read(f"afray-{folder.name}.dist-info/entry_points.txt").decode()
    assert metadata["Version"] == folder.name
    assert {"afray/driver/__main__.py", "afray_operator/main.py", "afray/cli/main.py"} <= names
    assert {"afray", "afray-operator", "kubectl-afray"} <= set(re.findall(r"^([\w-]+) = ", scripts, re.MULTILINE))


def test_the_chart_is_of_that_version_and_brings_its_crd(folder: Path) -> None:
    about = yaml.safe_load(chart_file(folder, "Chart.yaml"))
    assert about["version"] == about["appVersion"] == folder.name
    crd = io.TextIOWrapper(io.BytesIO(chart_file(folder, "templates/crd.yaml"))).read()
    assert "name: selectionjobs.afray.dev" in crd
    assert "name: v1alpha1" in crd


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_requirements_are_pinned_with_hashes_and_name_no_index(folder: Path, name: str) -> None:
    text = (folder / name).read_text()
    assert text.count("--hash=sha256:") >= text.count("==") > 0
    assert "://" not in text
