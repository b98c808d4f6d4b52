"""Kubeconfig files: how a client finds an API server and proves who it is."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

import yaml
from testbed.pki import KeyPair


def by_certificate(pair: KeyPair) -> dict[str, str]:
    """Return a client certificate as kubeconfig fields of a user."""
    return {"client-certificate-data": _encoded(pair.certificate), "client-key-data": _encoded(pair.key)}


def by_token(token: str) -> dict[str, str]:
    """Return a bearer token as kubeconfig fields of a user."""
    return {"token": token}


def write(path: Path, *, server: str, authority: Path, user: Mapping[str, str]) -> Path:
    """Write a kubeconfig with one cluster, one user and one context."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "testbed", "cluster": {"server": server, "certificate-authority-data": _encoded(authority)}}
        ],
        "users": [{"name": "user", "user": dict(user)}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": "user"}}],
        "current-context": "testbed",
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content))
    return path


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
