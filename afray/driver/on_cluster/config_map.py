"""The ConfigMap that holds a driver's progress, by the official client. Only here a driver speaks to Kubernetes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from afray.contract.progress import KEY

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api

NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
TIMEOUTS: Final = (5.0, 10.0)
"""Seconds to connect, and to wait for an answer."""
MERGE_PATCH: Final = "application/merge-patch+json"


class ConfigMapSink:
    """One key of one ConfigMap in this pod's own namespace; it must exist, the driver may patch it only."""

    def __init__(self, name: str, *, namespace: str | None = None, api: CoreV1Api | None = None) -> None:
        """What is not given is found in the pod, at the first write: until then nothing can fail."""
        self._name, self._namespace, self._api = name, namespace, api

    def write(self, text: str) -> None:
        """Merge the key into the object. Raises what the client raises."""
        if self._api is None:
            self._api = _api_of_pod()
        if self._namespace is None:
            self._namespace = NAMESPACE_FILE.read_text().strip()
        self._api.patch_namespaced_config_map(
            self._name,
            self._namespace,
            {"data": {KEY: text}},
            _content_type=MERGE_PATCH,
            _request_timeout=TIMEOUTS,
        )


def _api_of_pod() -> CoreV1Api:
    from kubernetes import client, config

    settings = client.Configuration()
    # Reads the token anew as it is rotated.
    config.load_incluster_config(client_configuration=settings)
    settings.retries = False  # the writer has pauses of its own, and newer things to say by then
    return client.CoreV1Api(client.ApiClient(settings))
