"""The operator under load, on a real API server: 1,000 jobs at once, held in a queue.

    benchmarks/operator_load.py [--json bars.json]

Time until all are accepted, writes per job, memory, CPU at rest, series on the page of metrics, and what is left there
when the jobs are deleted; and whether a job costs more where there are more of them. The API server and etcd share the
machine, so times are compared with those of fewer jobs in the same run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, cast

import harness
from harness import Bar, at_least, at_most
from helpers import selection_jobs
from helpers.operator_process import OperatorProcess, apply_own_crd
from kubernetes import client, config
from testbed.apiserver import ApiServer, running_api_server
from testbed.crds import apply_crds

JOBS = ("afray.dev", "v1alpha1", "default", "selectionjobs")
FEW, MANY = 100, 1000
REST_SECONDS = {FEW: 10.0, MANY: 300.0}
"""The many rest as long as two resyncs are apart, so that one of them is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one number of jobs cost. Seconds, bytes, counts."""

    jobs: int
    created: float
    accepted: float
    cpu: float
    resident: int
    writes: float
    """Per job, until queued."""
    writes_at_rest: float
    cpu_at_rest: float
    """Share of a core."""
    series: int
    """On the page of metrics, of the operator and of jobs."""
    page_bytes: int
    page_seconds: float
    series_left: int
    """Of jobs by name, when all are deleted."""


def make(number: int) -> dict[str, Any]:
    """A job that waits in a queue for ever: no Kueue runs here."""
    return selection_jobs.make_manifest("default", f"job-{number}", output={"uri": f"s3://plant/out/{number}"})


def take(jobs: int) -> Load:
    """Measure one number of jobs on an API server of its own."""
    with running_api_server() as server, operating(server) as (operator, api):
        cpu, started = operator.cpu_seconds, time.perf_counter()
        with ThreadPoolExecutor(8) as hands:
            list(hands.map(lambda number: api.create_namespaced_custom_object(*JOBS, make(number)), range(jobs)))
        created = time.perf_counter() - started
        _await(api, "QuotaReserved", jobs)
        accepted, busy = time.perf_counter() - started, operator.cpu_seconds - cpu
        time.sleep(5)
        writes, cpu = operator.metric("afray_operator_api_writes_total"), operator.cpu_seconds
        time.sleep(REST_SECONDS[jobs])
        rested, resident = operator.cpu_seconds - cpu, operator.resident_bytes
        writes_at_rest = operator.metric("afray_operator_api_writes_total") - writes
        asked = time.perf_counter()
        page = operator.page("/metrics")
        return Load(
            jobs=jobs,
            created=created,
            accepted=accepted,
            cpu=busy,
            resident=resident,
            writes=writes / jobs,
            writes_at_rest=writes_at_rest,
            cpu_at_rest=rested / REST_SECONDS[jobs],
            page_seconds=time.perf_counter() - asked,
            page_bytes=len(page),
            series=len(series(page)),
            series_left=_delete_all(api, operator),
        )


def series(page: str, label: str = "") -> list[str]:
    """Those on a page of metrics, or those with a label."""
    return [line for line in page.splitlines() if not line.startswith("#") and label in line]


def _delete_all(api: client.CustomObjectsApi, operator: OperatorProcess) -> int:
    """Delete all jobs; returns how many series of them are left once the operator has seen it, a minute at most."""
    api.delete_collection_namespaced_custom_object(*JOBS)
    for _ in range(60):
        left = len(series(operator.page("/metrics"), 'name="job-'))
        if not left:
            break
        time.sleep(1)
    return left


@contextmanager
def operating(server: ApiServer) -> Iterator[tuple[OperatorProcess, client.CustomObjectsApi]]:
    """An operator on the server, and a client."""
    apply_crds(server.kubectl)
    apply_own_crd(server.kubectl)
    operator = OperatorProcess.start(server.kubeconfig)
    try:
        operator.await_leading()
        yield operator, client.CustomObjectsApi(config.new_client_from_config(str(server.kubeconfig)))
    finally:
        operator.stop()


def _await(api: client.CustomObjectsApi, condition: str, jobs: int) -> None:
    while True:
        found = cast("dict[str, Any]", api.list_namespaced_custom_object(*JOBS))["items"]
        kinds = [{one["type"] for one in (job.get("status") or {}).get("conditions", ())} for job in found]
        if sum(condition in each for each in kinds) == jobs:
            return
        time.sleep(0.5)


def bars(few: Load, many: Load) -> list[Bar]:
    """The claims."""
    per_job = (many.accepted / many.jobs) / (few.accepted / few.jobs)
    cpu_per_job = (many.cpu / many.jobs) / (few.cpu / few.jobs)
    series_per_job = (many.series - few.series) / (many.jobs - few.jobs)
    return [
        at_most(f"time per job until queued, {MANY} jobs over {FEW}", per_job, 1.5),
        at_most(f"operator CPU per job, {MANY} jobs over {FEW}", cpu_per_job, 1.5),
        at_most("writes per job until QuotaReserved=False", many.writes, 12),
        at_most(f"writes in {REST_SECONDS[MANY]:.0f} s while nothing changes", many.writes_at_rest, 0),
        at_most(f"resident MB at {MANY} jobs", many.resident / 1e6, 250),
        at_most("share of a core at rest", many.cpu_at_rest, 0.02),
        at_least("jobs accepted per second", many.jobs / many.accepted, 1),
        at_most("series per job that waits in a queue", series_per_job, 10),
        at_most(f"MB of a page of metrics at {MANY} jobs", many.page_bytes / 1e6, 2),
        at_most(f"seconds to answer it at {MANY} jobs", many.page_seconds, 1),
        at_most("series by name when the jobs are deleted", many.series_left, 0),
    ]


def main() -> int:
    options = harness.arguments(__doc__)
    loads = [take(jobs) for jobs in (FEW, MANY)]
    for load in loads:
        print(json.dumps(asdict(load)))
    return harness.conclude("Operator", bars(*loads), options.json)


if __name__ == "__main__":
    raise SystemExit(main())
