"""What `helm test` runs in a cluster: SelectionJobs of the chart, each applied, awaited, and deleted in any case.

a suspended job         Accepted=True, Suspended=True: CRD, rights, leader and the dry run of its pods work
a tiny job, if given    Complete=True: KubeRay, the image of Ray pods and the store work as well
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from afray.api.conditions import ConditionType, Phase
from afray.api.status import JobStatus
from afray_operator.api import Api, Raw, connected
from afray_operator.kinds import SELECTION_JOB
from afray_operator.observed.json_access import block, text

LOOK_SECONDS: Final = 1.0
AWAITED: Final = {True: (ConditionType.accepted, ConditionType.suspended), False: (ConditionType.complete,)}
"""What must hold in the end, by spec.suspend."""


class NotReached(Exception):
    """A job did not come where it should; says where it stands."""


async def run_job(api: Api, manifest: Mapping[str, object], seconds: float) -> None:
    """Apply a job, wait for what it is to reach, and delete it. Raises NotReached, and the client's errors."""
    metadata = block(manifest, "metadata")
    namespace, name = text(metadata, "namespace"), text(metadata, "name")
    await _remove(api, namespace, name, seconds)
    await api.create(SELECTION_JOB, manifest)
    try:
        await _await_end(api, namespace, name, seconds)
    finally:
        await _remove(api, namespace, name, seconds)


async def _await_end(api: Api, namespace: str, name: str, seconds: float) -> None:
    deadline, told = time.monotonic() + seconds, ""
    while True:
        job = await api.get(SELECTION_JOB, namespace, name) or {}
        status = JobStatus.read(dict(block(job, "status")))
        if (stands := describe(status)) != told:
            _say(f"{name}: {stands}")
            told = stands
        if all(status.holds(kind) for kind in AWAITED[block(job, "spec").get("suspend") is True]):
            return
        if status.phase is Phase.failed or not job:
            raise NotReached(f"{name} failed: {stands}")
        if time.monotonic() > deadline:
            raise NotReached(f"{name} did not get on within {seconds:.0f} s: {stands}. {_remedy(status)}")
        await asyncio.sleep(LOOK_SECONDS)


def describe(status: JobStatus) -> str:
    """Where a job stands, with the sentence of the condition that holds it up."""
    if status.phase is None:
        return "not seen by an operator"
    said = next((one for one in status.conditions if one.reason is status.reason and one.message), None)
    return f"{status.phase}, {status.reason}" + (f": {said.message}" if said is not None else "")


def _remedy(status: JobStatus) -> str:
    if status.phase is None:
        return "No operator leads that watches this namespace: see its pods, their logs, and watchNamespaces."
    return "What each reason asks for: docs/conditions.md."


async def _remove(api: Api, namespace: str, name: str, seconds: float) -> None:
    """Delete a job that is there, and wait until it is gone."""
    deadline = time.monotonic() + seconds
    while (found := await api.get(SELECTION_JOB, namespace, name)) is not None:
        await api.delete(SELECTION_JOB, namespace, name, uid=text(block(found, "metadata"), "uid"))
        if time.monotonic() > deadline:
            raise NotReached(f"{name} is still there {seconds:.0f} s after it was deleted")
        await asyncio.sleep(LOOK_SECONDS)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def _run_all(manifests: Sequence[Raw], seconds: float) -> None:
    async with connected() as client:
        for manifest in manifests:
            await run_job(Api(client), manifest, seconds)


def _run(
    manifests: Annotated[list[Path], typer.Argument(help="Files with one SelectionJob each, as JSON.")],
    seconds: Annotated[float, typer.Option(min=1, help="How long each may take.")] = 120.0,
) -> None:
    """Apply SelectionJobs, wait for them and delete them."""
    try:
        asyncio.run(_run_all([json.loads(path.read_text(encoding="utf-8")) for path in manifests], seconds))
    except NotReached as error:
        _say(f"error: {error}")
        raise typer.Exit(1) from error
    _say("passed")


def main() -> None:
    """Entry point: `python -m afray_operator.installation_test`."""
    typer.run(_run)


if __name__ == "__main__":
    main()
