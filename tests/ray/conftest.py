"""One embedded Ray for all tests that need it, and finished jobs to compare with: each takes seconds to make."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from helpers import jobs
from helpers.image_jobs import write_image_job
from helpers.jobs import FinishedJob

from afray.runtime.session import ray_session


@pytest.fixture(scope="session")
def ray_cpus() -> Iterator[int]:
    """The CPUs of an embedded Ray session."""
    with ray_session(4):
        yield 4


@pytest.fixture(scope="session")
def vector_job(ray_cpus: int, tmp_path_factory: pytest.TempPathFactory) -> FinishedJob:
    """A job on vectors that nothing disturbed."""
    folder = tmp_path_factory.mktemp("vectors")
    manifest = jobs.embeddings_manifest(jobs.write_embeddings(folder / "pool"), folder / "out")
    return FinishedJob(manifest=manifest, report=jobs.run(manifest))


@pytest.fixture(scope="session")
def image_job(ray_cpus: int, tmp_path_factory: pytest.TempPathFactory) -> FinishedJob:
    """A job on images, with labels and a finetune, that nothing disturbed."""
    manifest = write_image_job(tmp_path_factory.mktemp("images"))
    return FinishedJob(manifest=manifest, report=jobs.run(manifest))
