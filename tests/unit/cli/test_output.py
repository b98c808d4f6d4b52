"""How commands speak: forms of data, errors on stderr with their exit codes, colours only where they are wanted."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import typer
import yaml
from rich.text import Text
from typer.testing import CliRunner

from afray import errors
from afray.cli.output import Output, OutputFormat, emit, errors_as_exit_codes

FACTS = Output(table=Text("three rows"), data={"rows": [1, 2], "ü": None}, name="selectionjob.afray.dev/weld")


def failing_with(error: BaseException) -> typer.Typer:
    app = typer.Typer()

    @app.command()
    def fail() -> None:
        with errors_as_exit_codes():
            raise error

    return app


def told(form: OutputFormat, capsys: pytest.CaptureFixture[str]) -> str:
    emit(FACTS, form)
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_each_form_holds_the_facts(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(OutputFormat.table, capsys) == "three rows\n"
    assert json.loads(told(OutputFormat.json, capsys)) == FACTS.data
    assert yaml.safe_load(told(OutputFormat.yaml, capsys)) == FACTS.data
    assert told(OutputFormat.name, capsys) == "selectionjob.afray.dev/weld\n"


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (errors.AfrayError, 1),
        (errors.PoolError, 65),
        (errors.StorageError, 66),
        (errors.EnvironmentFault, 67),
        (errors.IntegrityError, 68),
        (errors.OwnershipError, 69),
        (errors.Retryable, 74),
        (errors.Fenced, 75),
        (lambda text: errors.SpecError("spec.seed", 1, text, "Remove it."), 64),
    ],
)
def test_an_error_is_one_message_on_stderr_and_its_own_exit_code(make: Callable[[str], Exception], code: int) -> None:
    result = CliRunner().invoke(failing_with(make("row [3] is broken")))
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith("error: ")
    assert "row [3] is broken" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_bug_keeps_its_traceback() -> None:
    result = CliRunner().invoke(failing_with(ZeroDivisionError("bug")))
    assert isinstance(result.exception, ZeroDivisionError)


def test_errors_have_colours_on_a_terminal_unless_they_are_unwanted(monkeypatch: pytest.MonkeyPatch) -> None:
    app = failing_with(errors.PoolError("no rows"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b" not in CliRunner().invoke(app).stderr
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[1;31m" in CliRunner().invoke(app).stderr
    monkeypatch.setenv("NO_COLOR", "1")
    assert "31m" not in CliRunner().invoke(app).stderr


def test_ctrl_c_is_one_line_and_the_exit_code_of_shells() -> None:
    result = CliRunner().invoke(failing_with(KeyboardInterrupt()))
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr == "stopped\n"
