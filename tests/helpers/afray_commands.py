"""The program `afray`, bound to one kubeconfig and namespace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helpers.repository import BUNDLED_TOOLS
from typer.testing import CliRunner, Result

from afray.cli.main import app

PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Afray:
    """Runs commands as a user does."""

    kubeconfig: Path
    namespace: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, given: str = "") -> Result:
        """Run a command to its end, in this process."""
        return CliRunner().invoke(app, self._arguments(arguments), input=given, env=self.environment)

    def ask(self, *arguments: str) -> Any:
        """What a command prints as JSON; it must succeed."""
        ended = self(*arguments, "-o", "json")
        assert ended.exit_code == 0, ended.stderr
        return json.loads(ended.stdout)

    @contextmanager
    def running(self, *arguments: str, stderr: int = subprocess.PIPE) -> Iterator[Running]:
        """Start a command that goes on for a while, as a process; it is killed if the test leaves it running."""
        command = [sys.executable, str(BUNDLED_TOOLS / "afray"), *self._arguments(arguments)]
        environment = {**os.environ, **self.environment}
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True, bufsize=1
        )
        with process:
            try:
                yield Running(process)
            finally:
                process.kill()

    def _arguments(self, arguments: tuple[str, ...]) -> list[str]:
        name, *rest = arguments
        return [name, "--kubeconfig", str(self.kubeconfig), "--namespace", self.namespace, *rest]


@dataclass
class Running:
    """A command that goes on; what it says on stderr is collected as it comes."""

    process: subprocess.Popen[str]
    told: list[str] = field(default_factory=list)

    def await_line(self, part: str) -> str:
        """Read stderr up to a line with these words; pytest's time limit guards against silence."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.told.append(line.rstrip("\n"))
            if part in line:
                return self.told[-1]
        raise AssertionError(f"it ended without saying {part!r}:\n" + "\n".join(self.told))

    def end(self) -> tuple[int, str]:
        """Wait for the end; return exit code and stdout."""
        out, err = self.process.communicate(timeout=PATIENCE_SECONDS)
        self.told += err.splitlines()
        return self.process.returncode, out
