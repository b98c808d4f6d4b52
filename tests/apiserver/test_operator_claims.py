"""Two releases of the operator watch one namespace: one of them works there, and the other says that it does not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from afray_operator.standing import CLAIM
from helpers import selection_jobs
from helpers.api_proxy import ApiProxy
from helpers.operator_process import OperatorProcess, await_that, operating
from helpers.played_lives import IMPATIENT
from testbed.apiserver import ApiServer
from testbed.kubectl import Kubectl

pytestmark = pytest.mark.apiserver

CLAIM_SECONDS = 6
LEFT = "afray_operator_namespaces_left"


def options(namespace: str, release: str) -> tuple[str, ...]:
    """Each release has a Lease of its own."""
    return (
        *IMPATIENT,
        f"--claim-duration={CLAIM_SECONDS}",
        f"--namespace={namespace}",
        f"--lease={namespace}/{release}",
    )


@contextmanager
def standing_aside(kubeconfig: Path, namespace: str, release: str, log: Path) -> Iterator[OperatorProcess]:
    """A release that finds the namespace served by another."""
    with operating(kubeconfig, *options(namespace, release), log=log) as operator:
        await_that(lambda: operator.metric(LEFT) == 1)
        yield operator


def is_queued(kubectl: Kubectl, namespace: str, name: str) -> bool:
    conditions = (kubectl.get("sj", name, namespace).get("status") or {}).get("conditions", ())
    return "Queued" in [one["reason"] for one in conditions]


def apply(kubectl: Kubectl, namespace: str, name: str) -> None:
    kubectl.apply(selection_jobs.make_manifest(namespace, name, output={"uri": f"s3://plant/{name}"}))


def check_served(kubectl: Kubectl, namespace: str, operator: OperatorProcess, name: str) -> None:
    """That release works on a new job."""
    apply(kubectl, namespace, name)
    await_that(lambda: is_queued(kubectl, namespace, name))
    assert operator.metric(LEFT) == 0


def test_of_two_releases_one_works_and_the_other_takes_over_when_the_claim_runs_out_or_is_deleted(
    api_server: ApiServer, kubectl: Kubectl, proxy: ApiProxy, namespace: str, tmp_path: Path
) -> None:
    logs = {release: tmp_path / release for release in ("first", "second")}
    with operating(api_server.kubeconfig, *options(namespace, "first")) as first:
        apply(kubectl, namespace, "one")
        await_that(lambda: is_queued(kubectl, namespace, "one"))
        with standing_aside(proxy.kubeconfig, namespace, "second", logs["second"]) as second:
            check_served(kubectl, namespace, first, "two")
            time.sleep(CLAIM_SECONDS + 1)  # the first renews it
            assert second.metric(LEFT) == 1
            assert second.metric("afray_jobs") == 0
            assert proxy.writes == []
            assert (
                logs["second"].read_text().count(f"another release of the operator, {namespace}/first, serves it") == 1
            )

            first.stop()
            check_served(kubectl, namespace, second, "three")
            assert f"the claim of {namespace}/first ran out" in logs["second"].read_text()

            with standing_aside(api_server.kubeconfig, namespace, "first", logs["first"]) as again:
                second.stop()
                kubectl("delete", "lease", CLAIM, "-n", namespace)
                check_served(kubectl, namespace, again, "four")
                assert f"the claim of {namespace}/second was deleted" in logs["first"].read_text()
