"""The same job on a bucket, in a process that knows the bucket from its environment alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers import jobs
from helpers.faults import afray
from helpers.image_jobs import without_labels
from helpers.jobs import FinishedJob, Manifest
from helpers.s3_server import S3Server, running_s3_server

from afray.storage.store import Store

pytestmark = [pytest.mark.ray, pytest.mark.s3]
SECRETS = ("loopback", "only-for-tests")


@dataclass(frozen=True, kw_only=True)
class BucketJob:
    """What a run on a bucket said and left there."""

    manifest: Manifest
    output: Store
    stdout: str
    stderr: str

    def read(self, name: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.output.read(name))
        return found


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with running_s3_server() as running:
        yield running


@pytest.fixture(scope="module")
def bucket_job(image_job: FinishedJob, server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> BucketJob:
    """The job of `image_job` up to its selection, with pool and output in a bucket."""
    bucket = server.new_bucket()
    for file in sorted(image_job.pool.rglob("*.png")):
        server.put(f"{bucket}/welds/{file.relative_to(image_job.pool)}", file.read_bytes())
    manifest = jobs.changed(without_labels(image_job, f"{bucket}/results/r1"), {"spec.pool.uri": f"{bucket}/welds"})
    path = jobs.write_manifest(tmp_path_factory.mktemp("s3") / "job.yaml", manifest)
    ended = afray("run", path, "--workers", 1, "-o", "json", environment=server.environment)
    assert ended.returncode == 0, ended.stderr
    output = Store.open(f"{bucket}/results/r1", environment=server.environment)
    return BucketJob(manifest=manifest, output=output, stdout=ended.stdout, stderr=ended.stderr)


def test_a_bucket_gives_the_vectors_and_the_selection_of_local_files(
    image_job: FinishedJob, bucket_job: BucketJob
) -> None:
    """Files have other etags in a bucket, so the digest of the index differs, and what is derived from it."""
    local, bucket = jobs.json_of(image_job.output / "certificate.json"), bucket_job.read("certificate.json")
    for same in ("selectionDigest", "counters", "model", "decode", "code"):
        assert bucket[same] == local[same]
    for differs in ("specDigest", "index", "outputs"):
        assert bucket[differs] != local[differs]
    assert shards(bucket) == shards(local)
    assert json.loads(bucket_job.stdout)["selectionDigest"] == image_job.digest


def shards(certificate: dict[str, object]) -> object:
    embedding = certificate["embedding"]
    assert isinstance(embedding, dict)
    return embedding["shards"]


def test_no_secret_is_said_or_stored(bucket_job: BucketJob) -> None:
    stored = b"".join(bucket_job.output.read(entry.key) for entry in bucket_job.output.list())
    for secret in SECRETS:
        assert secret.encode() not in stored
        assert secret not in bucket_job.stdout + bucket_job.stderr


def test_a_finished_job_on_a_bucket_is_answered_from_there(
    bucket_job: BucketJob, server: S3Server, tmp_path: Path
) -> None:
    manifest = jobs.write_manifest(tmp_path / "job.yaml", bucket_job.manifest)
    again = afray("run", manifest, "-o", "json", environment=server.environment)
    assert (again.returncode, again.stderr) == (0, "")
    assert json.loads(again.stdout) == json.loads(bucket_job.stdout)
