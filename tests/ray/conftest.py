"""One embedded Ray for all tests that need it: it takes seconds to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from afray.runtime.session import ray_session


@pytest.fixture(scope="session")
def ray_cpus() -> Iterator[int]:
    """The CPUs of an embedded Ray session."""
    with ray_session(4):
        yield 4
