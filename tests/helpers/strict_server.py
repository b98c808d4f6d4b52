"""SelectionJobs sent to a real API server as they are, with fieldValidation=Strict; its verdict by field."""

from __future__ import annotations

import base64
import json
import re
import ssl
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from afray.api import paths
from afray.api.job import GROUP, PLURAL, VERSION

INCOMPLETE: Final = "<nil>"
"""Where an API server says that it checked no further."""
_NAMED: Final = re.compile(r'(?:unknown|duplicate) field "((?:[^"\\]|\\.)*)"')
_SAID: Final = re.compile(r'^\w+ value(?:: (?:"(?:[^"\\]|\\.)*"|[\d.e+-]+))?: |^Forbidden: ')


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an API server made of a request: the object, or what it said of each field at fault."""

    code: int
    answer: dict[str, Any]

    @property
    def is_accepted(self) -> bool:
        return self.code < 400

    @property
    def causes(self) -> list[tuple[str, str]]:
        """Field as `afray validate` writes it, and what is said of it."""
        if self.is_accepted:
            return []
        message = self.answer["message"]
        causes = self.answer.get("details", {}).get("causes", ())
        named = [(field.replace('\\"', '"'), message) for field in _NAMED.findall(message)]
        said = [(cause["field"], _SAID.sub("", cause["message"])) for cause in causes if cause["field"] != INCOMPLETE]
        return [(same_spelling(field), text) for field, text in named or said or [("", message)]]

    @property
    def fields(self) -> set[str]:
        return {field for field, _ in self.causes}


def same_spelling(field: str) -> str:
    """An API server writes resources[nvidia.com/gpu], or resources.nvidia.com/gpu; we have the key in quotes."""
    quoted = re.sub(r"\[([^\]\d\"][^\]]*)\]", r'["\1"]', field)
    quoted = re.sub(r"(\.resources)\.([^\"]+)$", r'\1["\2"]', quoted)
    return paths.join(paths.split(quoted))


class StrictServer:
    """Talks to one API server as the administrator."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, self._token = config["clusters"][0]["cluster"], config["users"][0]["user"]["token"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        address = urlsplit(cluster["server"])
        tls = ssl.create_default_context(cadata=authority)
        self._connection = HTTPSConnection(str(address.hostname), address.port, context=tls, timeout=60)
        self._jobs = f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}"

    def try_create(self, manifest: object) -> Verdict:
        """Ask whether it would be created, and as what."""
        return self._send("POST", "?fieldValidation=Strict&dryRun=All", json.dumps(manifest))

    def try_create_text(self, text: str) -> Verdict:
        """The same for the text of a request, which may say what no object can."""
        return self._send("POST", "?fieldValidation=Strict&dryRun=All", text)

    def create(self, manifest: object) -> Verdict:
        return self._send("POST", "?fieldValidation=Strict", json.dumps(manifest))

    def close(self) -> None:
        self._connection.close()

    def get(self, name: str) -> Any:
        return self._send("GET", f"/{name}").answer

    def try_replace(self, name: str, manifest: object) -> Verdict:
        return self._send("PUT", f"/{name}?fieldValidation=Strict&dryRun=All", json.dumps(manifest))

    def replace_status(self, name: str, manifest: object) -> Verdict:
        return self._send("PUT", f"/{name}/status?fieldValidation=Strict", json.dumps(manifest))

    def _send(self, method: str, path: str, text: str | None = None) -> Verdict:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        self._connection.request(method, self._jobs + path, None if text is None else text.encode(), headers)
        with self._connection.getresponse() as answer:
            return Verdict(answer.status, json.load(answer))
