"""The way to a cluster: the kubeconfig that kubectl uses, or the account of the pod that we run in."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml
from kubernetes import config
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import incluster_config

from afray import __version__
from afray.errors import EnvironmentFault

CONNECT_SECONDS: Final = 10
ANSWER_SECONDS: Final = 30
_IN_A_POD: Final = "KUBERNETES_SERVICE_HOST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """An API server, and the namespace to work in."""

    client: ApiClient
    namespace: str
    title: str
    """How messages call it: its address, and the context that led there."""


def connect(kubeconfig: Path | None = None, context: str | None = None, namespace: str | None = None) -> Cluster:
    """The cluster of a context (default: the current one); nothing is asked of it yet.

    Raises EnvironmentFault if there is no usable configuration.
    """
    file = str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG") or "~/.kube/config"
    settings = Configuration()
    with _told(file):
        if kubeconfig is None and context is None and not _any_exists(file) and _IN_A_POD in os.environ:
            config.load_incluster_config(client_configuration=settings)
            title, default = "the cluster of this pod", _pod_namespace()
        else:
            config.load_kube_config(config_file=file, context=context, client_configuration=settings)
            contexts, current = config.list_kube_config_contexts(config_file=file)
            chosen = next((entry for entry in contexts if entry["name"] == context), current)
            title, default = f"{settings.host} (context {chosen['name']})", chosen["context"].get("namespace")
    settings.retries = False  # Repeating is ours to decide, and to say.
    client = ApiClient(configuration=settings)
    client.user_agent = f"afray/{__version__}"
    return Cluster(client=client, namespace=namespace or default or "default", title=title)


def _pod_namespace() -> str:
    """Where a pod is told it: beside its token."""
    return Path(incluster_config.SERVICE_TOKEN_FILENAME).with_name("namespace").read_text(encoding="utf-8").strip()


def _any_exists(files: str) -> bool:
    return any(Path(file).expanduser().exists() for file in files.split(os.pathsep) if file)


@contextmanager
def _told(file: str) -> Iterator[None]:
    """Tell in one line what the client raises or logs while it reads a configuration."""
    collected = _Collected()
    root = logging.getLogger()
    root.addHandler(collected)
    try:
        yield
    except (config.ConfigException, OSError, yaml.YAMLError, ValueError, TypeError, KeyError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise EnvironmentFault(
            f"no cluster to talk to: {file}: {reason}. Check --kubeconfig, --context and KUBECONFIG; "
            "`kubectl config get-contexts` shows what there is"
        ) from None
    finally:
        root.removeHandler(collected)
    if collected.said:
        raise EnvironmentFault(f"the login of {file} failed: {collected.said[0]}. Log in again, as for kubectl")


class _Collected(logging.Handler):
    """A failing login command is only logged by the client."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(" ".join(record.getMessage().split()))
