"""Who embedded what and how often, from the requests that the S3 server answered: no driver's word is taken for it.

To embed a shard begins with its first image, and ends with the shard's commit. Images are read for the report too, but
only when the selection is stored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from testbed.s3 import S3, Request
from testbed.s3_faults import Fault
from testbed.small_jobs import IMAGES, SHARDS

AT_A_TIME = 8
"""Images that a worker reads."""
SELECTED = "selection/rows.ok"
COMMIT = re.compile(r"embeddings/\w+/(\d{5})\.ok")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardRecord:
    """How one shard came to be embedded."""

    begun: int
    """How often anybody began to embed it before it was committed."""
    begun_after_commit: int
    epoch: int
    """Of the driver whose worker committed it."""


def shard_records(storage: S3, bucket: str, output: str = "out") -> dict[int, ShardRecord]:
    """Return the records of the committed shards."""
    requests = list(_until_selected(storage, bucket, output))
    return {
        shard: _record(shard, requests, place, bucket, epoch=json.loads(storage.read(f"s3:/{path}"))["epoch"])
        for place, request in enumerate(requests)
        if (path := request.path) and (shard := _committed_shard(request, bucket, output)) is not None
    }


def slow_down(storage: S3, bucket: str, *shards: int, seconds: float = 100) -> None:
    """Let each of some shards take so long, image by image: nobody is done soon, and everybody shows that he lives."""
    each = seconds * SHARDS / IMAGES * AT_A_TIME
    for shard in shards:
        storage.inject(Fault(pattern=_images(bucket, shard), seconds=each))


def speed_up(storage: S3, bucket: str, *shards: int) -> None:
    """End that."""
    for shard in shards:
        storage.lift(_images(bucket, shard))


def begun(storage: S3, bucket: str, *shards: int) -> int:
    """Count how often anybody began to embed one of these shards."""
    firsts = {_first_image(bucket, shard) for shard in shards}
    return sum(
        request.method == "GET" and request.path in firsts for request in _until_selected(storage, bucket, "out")
    )


def is_in_the_midst(storage: S3, bucket: str) -> bool:
    """Whether one shard is committed, and both workers have others in hand: true for a while where those are slow."""
    return len(shard_records(storage, bucket)) == 1 and begun(storage, bucket, 1, 2, 3) == 2


def _first_image(bucket: str, shard: int) -> str:
    return f"/{bucket}/pool/{shard * IMAGES // SHARDS:04}.png"


def _images(bucket: str, shard: int) -> str:
    """Pattern of a shard's images."""
    decades = IMAGES // SHARDS // 10
    first = "|".join(f"{number:03}" for number in range(shard * decades, (shard + 1) * decades))
    return rf"/{bucket}/pool/({first})\d\.png"


def _until_selected(storage: S3, bucket: str, output: str) -> Iterator[Request]:
    for request in storage.requests():
        if request.path == f"/{bucket}/{output}/{SELECTED}" and request.method == "PUT":
            return
        if request.path.startswith(f"/{bucket}/"):
            yield request


def _committed_shard(request: Request, bucket: str, output: str) -> int | None:
    is_created = request.method == "PUT" and request.status == 200
    found = COMMIT.fullmatch(request.path.removeprefix(f"/{bucket}/{output}/")) if is_created else None
    return int(found[1]) if found else None


def _record(shard: int, requests: list[Request], committed: int, bucket: str, *, epoch: int) -> ShardRecord:
    first = ("GET", _first_image(bucket, shard))
    places = [place for place, request in enumerate(requests) if (request.method, request.path) == first]
    earlier = sum(place < committed for place in places)
    return ShardRecord(begun=earlier, begun_after_commit=len(places) - earlier, epoch=epoch)
