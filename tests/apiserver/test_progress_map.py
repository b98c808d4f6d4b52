"""A driver's word in its ConfigMap, on a real API server that refuses, hangs, goes away and forgets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from afray_operator.manifests.ownership import Owner
from afray_operator.manifests.supporting import progress_config_map, role, role_binding
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from testbed.apiserver import ApiServer, running_api_server

from afray.contract.environment import Turn
from afray.contract.names import Stage, progress_name
from afray.contract.progress import KEY, ProgressPayload, SelectionResult, read_progress
from afray.driver.on_cluster import config_map
from afray.driver.on_cluster.config_map import ConfigMapSink
from afray.driver.on_cluster.state import DriverState
from afray.driver.on_cluster.writer import ProgressWriter

pytestmark = pytest.mark.apiserver

OWNER = Owner(namespace="welding", name="welds", uid="8c8ad6bf-4f4c-4f5c-8f4f-0a3f2f9e3a11")
NAME = progress_name(OWNER.name)
DRIVER = "driver"
PATIENCE_SECONDS = 60
RESULT = SelectionResult(uri="s3://plant/größe 日本", digest="0" * 64, selected=20, pool_size=240)


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    """One that is stopped and started again, with the rights that the operator gives to a driver."""
    with running_api_server(users={DRIVER: []}) as running:
        running.kubectl.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OWNER.namespace}})
        running.kubectl.create(role(OWNER))
        user = {"kind": "User", "name": DRIVER, "apiGroup": "rbac.authorization.k8s.io"}
        running.kubectl.create({**role_binding(OWNER, DRIVER), "subjects": [user]})
        yield running


@pytest.fixture
def progress_map(server: ApiServer) -> Iterator[None]:
    """The empty ConfigMap that the operator makes."""
    server.kubectl.create(progress_config_map(OWNER))
    yield
    server.kubectl("delete", "configmap", NAME, "--namespace", OWNER.namespace, "--ignore-not-found")


def sink_of(server: ApiServer, name: str = NAME) -> ConfigMapSink:
    settings = client.Configuration()
    config.load_kube_config(str(server.kubeconfig_of(DRIVER)), client_configuration=settings)
    settings.retries = False
    return ConfigMapSink(name, namespace=OWNER.namespace, api=client.CoreV1Api(client.ApiClient(settings)))


@pytest.fixture
def state() -> DriverState:
    return DriverState(Turn(stage=Stage.select, attempt=1, progress=NAME))


def heard(server: ApiServer) -> ProgressPayload:
    """What the operator reads."""
    found = server.kubectl.get("configmap", NAME, OWNER.namespace)
    return read_progress(found["data"][KEY])


def wait_until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.usefixtures("progress_map")
def test_a_driver_may_write_its_own_map_and_leaves_what_else_is_in_it(server: ApiServer, state: DriverState) -> None:
    server.kubectl(
        "patch",
        "configmap",
        NAME,
        "--namespace",
        OWNER.namespace,
        "--type=merge",
        '--patch={"data": {"other": "kept"}}',
    )
    state.finish(RESULT)
    sink_of(server).write(state.payload().write())
    assert heard(server).result == RESULT
    assert server.kubectl.get("configmap", NAME, OWNER.namespace)["data"]["other"] == "kept"


def test_a_driver_may_write_no_other_map(server: ApiServer, state: DriverState) -> None:
    with pytest.raises(ApiException) as refused:
        sink_of(server, "kube-root-ca.crt").write(state.payload().write())
    assert refused.value.status == 403


@pytest.mark.usefixtures("progress_map")
def test_the_last_word_arrives_though_the_server_was_away_when_it_was_said(
    server: ApiServer, state: DriverState
) -> None:
    with ProgressWriter(state, sink_of(server)):
        wait_until(lambda: KEY in server.kubectl.get("configmap", NAME, OWNER.namespace).get("data", {}))
        server.kill()
        state.enter("embed pool", 1000, "rows")
        for done in range(1000):
            state.move(done, None, "")
        state.finish(RESULT)
        server.start_again()
    assert heard(server).result == RESULT


@pytest.mark.usefixtures("progress_map")
def test_a_server_that_hangs_holds_up_neither_the_work_nor_newer_words(
    server: ApiServer, state: DriverState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_map, "TIMEOUTS", (1.0, 1.0))
    with ProgressWriter(state, sink_of(server)):
        wait_until(lambda: KEY in server.kubectl.get("configmap", NAME, OWNER.namespace).get("data", {}))
        server.pause()
        began = time.monotonic()
        for stage in ("index pool", "embed pool", "select"):
            state.enter(stage, 1000, "rows")
            state.move(7, None, "")
        assert time.monotonic() - began < 1
        time.sleep(2.5)
        server.resume()
        wait_until(lambda: (heard(server).stage, heard(server).done) == ("select", 7))


@pytest.mark.usefixtures("progress_map")
def test_a_map_that_was_deleted_is_filled_once_the_operator_has_made_it_again(
    server: ApiServer, state: DriverState
) -> None:
    with ProgressWriter(state, sink_of(server), every=0.2):
        server.kubectl("delete", "configmap", NAME, "--namespace", OWNER.namespace)
        time.sleep(1)
        server.kubectl.create(progress_config_map(OWNER))
        wait_until(lambda: KEY in server.kubectl.get("configmap", NAME, OWNER.namespace).get("data", {}))
