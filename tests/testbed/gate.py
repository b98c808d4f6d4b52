"""Decides whether tests that need a testbed can run here, and sees to it that nobody overlooks that they did not.

Where they cannot, they are deselected and the session ends with a line that says so and why; with
AFRAY_REQUIRE_CLUSTER=1 (as in CI) that is an error. Where they can, what takes minutes is made before the first test,
visibly and outside of any test's time limit.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from _pytest.capture import CaptureManager
from testbed import debian

REQUIRED = "AFRAY_REQUIRE_CLUSTER"


@dataclass(slots=True)
class Gate:
    """Lets tests with a mark run where they can."""

    mark: str
    obstacle: Callable[[], str | None]
    """Why this machine cannot run them, None if it can."""
    prepare: Callable[[], object]
    """Makes what takes minutes."""
    _closed: tuple[int, str] | None = field(default=None, init=False)

    def select(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect the marked tests if they cannot run. Raises UsageError where they must."""
        marked = [item for item in items if item.get_closest_marker(self.mark)]
        reason = self.obstacle() if marked else None
        if reason is None:
            return
        if os.environ.get(REQUIRED) == "1":
            raise pytest.UsageError(f"{REQUIRED}=1, but tests marked {self.mark!r} cannot run here: {reason}")
        config.hook.pytest_deselected(items=marked)
        items[:] = [item for item in items if item not in marked]
        self._closed = (len(marked), reason)

    def open(self, session: pytest.Session) -> None:
        """Prepare for the marked tests, if any will run."""
        wanted = any(item.get_closest_marker(self.mark) for item in session.items)
        if wanted and not session.config.option.collectonly:
            with shown(session.config):
                self.prepare()

    def excuse(self, session: pytest.Session) -> None:
        """Let a session succeed that has no test left because they cannot run here: `tell` says so."""
        if self._closed is not None and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK

    def tell(self, config: pytest.Config) -> None:
        """Say what was not run, as the last line of all."""
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        if self._closed is not None and terminal is not None:
            count, reason = self._closed
            terminal.write_line(f"NOT RUN: {count} tests marked {self.mark!r}, because {reason}", yellow=True)


@contextmanager
def shown(config: pytest.Config) -> Iterator[None]:
    """Let progress through to the terminal."""
    capture = config.pluginmanager.getplugin("capturemanager")
    if not isinstance(capture, CaptureManager):
        yield
        return
    with capture.global_and_fixture_disabled():
        yield


def no_api_server() -> str | None:
    """Return why no API server can run here."""
    if sys.platform != "linux":
        return f"they need Linux, this is {sys.platform}"
    if shutil.which("go") is None:
        return "they need Go 1.26 or newer on the PATH, to build etcd and kube-apiserver"
    return None


def no_go() -> str | None:
    """Return why no program can be built from Go modules here."""
    return None if shutil.which("go") else "they need Go 1.26 or newer on the PATH, to build what judges dashboards"


def no_chart() -> str | None:
    """Return why the chart cannot be rendered and checked here."""
    if sys.platform != "linux":
        return f"they need Linux, this is {sys.platform}"
    missing = [name for name in ("go", "npm") if shutil.which(name) is None]
    if missing:
        return f"they need {' and '.join(missing)} on the PATH, to fetch Helm and the CRDs of the Prometheus operator"
    return None


def no_cluster() -> str | None:
    """Return why no cluster can run here."""
    if (reason := no_api_server()) is not None:
        return reason
    if os.geteuid() != 0:
        return "they need root, for namespaces and containers"
    if shutil.which("npm") is None:
        return "they need npm on the PATH, to fetch Helm"
    missing = debian.missing()
    if missing and shutil.which("apt-get") is None:
        return f"they need {', '.join(missing)}, and there is no apt-get to install them"
    return None
