"""What `afray run` understands by its options."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.bench_jobs import write_manifest
from typer.testing import CliRunner

from afray.cli.main import app
from afray.cli.output import OutputFormat


@pytest.mark.parametrize("form", OutputFormat)
def test_a_form_in_the_place_of_an_output_is_refused(
    form: OutputFormat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = CliRunner().invoke(app, ["run", str(write_manifest(tmp_path)), "--output", form.value])
    assert refused.exit_code == 64
    assert f"-o {form.value}" in refused.stderr
    assert f"./{form.value} for a folder" in refused.stderr
    assert not (tmp_path / form.value).exists()
