"""One embedded Ray for all tests that need it, and finished jobs to compare with: each takes seconds to make."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from helpers import jobs
from helpers.image_jobs import write_image_job
from helpers.jobs import FinishedJob

from afray.runtime.session import ray_session

METRICS_INTERVAL = "RAY_metrics_report_interval_ms"


@pytest.fixture(scope="session")
def ray_cpus() -> Iterator[int]:
    """The CPUs of an embedded Ray session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(METRICS_INTERVAL, "2000")  # of 10 s, for which the test of metrics would wait
        with ray_session(4):
            yield 4


@pytest.fixture(scope="session")
def vector_job(ray_cpus: int, tmp_path_factory: pytest.TempPathFactory) -> FinishedJob:
    """A job on vectors that nothing disturbed."""
    folder = tmp_path_factory.mktemp("vectors")
    manifest = jobs.embeddings_manifest(jobs.write_embeddings(folder / "pool"), folder / "out")
    return FinishedJob(manifest=manifest, report=jobs.run(manifest, workers=2))


@pytest.fixture(scope="session")
def image_job(ray_cpus: int, tmp_path_factory: pytest.TempPathFactory) -> FinishedJob:
    """A job on images, with labels and a finetune, that nothing disturbed."""
    manifest = write_image_job(tmp_path_factory.mktemp("images"))
    return FinishedJob(manifest=manifest, report=jobs.run(manifest, workers=2))
