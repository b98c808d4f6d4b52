"""Who an object belongs to: its owner reference and labels, by which it is found and garbage-collected."""

from __future__ import annotations

from dataclasses import dataclass

from afray.api.job import API_VERSION, KIND
from afray.contract import names
from afray_operator.manifests.merging import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The SelectionJob that owns what is made for it."""

    namespace: str
    name: str
    uid: str

    def metadata(self, name: str) -> Manifest:
        """Metadata of an object of that name: deleted with the SelectionJob, found by its label."""
        return {
            "name": name,
            "namespace": self.namespace,
            "labels": {names.JOB_LABEL: self.name},
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": KIND,
                    "name": self.name,
                    "uid": self.uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        }
