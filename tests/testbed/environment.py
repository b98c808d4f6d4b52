"""The Python environment for Ray pods: this machine's own, mounted read-only at its own paths.

With torch it is 6 GB, too much to put into an image for each test run. Pod Security `restricted` forbids hostPath
volumes in pods, so each folder is a PersistentVolume that a claim in the test's namespace is bound to.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.checkout import ROOT
from testbed.kubectl import Kubectl, Manifest
from testbed.steps import StepFailed

RAY_CONTAINER = "ray"
"""The container of operator-made pods that runs Ray."""
BINDING_SECONDS = 60.0
"""Pods made before that are put aside by the scheduler for a while."""
OTHERS_MAY_ENTER = 0o005
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OF_THE_IMAGE = (Path("/usr"), Path("/"))
"""Python of the distribution: the image has its own there, and must not be covered."""


@dataclass(frozen=True, slots=True)
class EnvironmentVolumes:
    """Claims in one namespace that bring the environment."""

    namespace: str
    folders: tuple[Path, ...]
    programs: Path
    """Where `python` and `ray` are, in one of the folders."""

    def template(self, container: str = RAY_CONTAINER) -> dict[str, object]:
        """Return a pod template to merge strategically: the volumes, their mounts, and a PATH that starts there."""
        numbered = list(enumerate(self.folders))
        volumes = [
            {"name": _name(n), "persistentVolumeClaim": {"claimName": _name(n), "readOnly": True}} for n, _ in numbered
        ]
        mounts = [{"name": _name(n), "mountPath": str(folder), "readOnly": True} for n, folder in numbered]
        variables = [{"name": "PATH", "value": f"{self.programs}:{SYSTEM_PATH}"}]
        return {
            "spec": {
                "volumes": volumes,
                "containers": [{"name": container, "env": variables, "volumeMounts": [*mounts, self._on_every_path()]}],
            }
        }

    def _on_every_path(self) -> dict[str, object]:
        """Return a mount of the programs where every image looks: the submitter follows mounts, but never variables."""
        ((number, folder),) = [
            (n, folder) for n, folder in enumerate(self.folders) if self.programs.is_relative_to(folder)
        ]
        place = {"mountPath": "/usr/local/bin", "subPath": str(self.programs.relative_to(folder))}
        return {"name": _name(number), **place, "readOnly": True}

    def manifests(self) -> Iterator[Manifest]:
        """Yield the volumes, and the claims that are bound to them."""
        for number, folder in enumerate(self.folders):
            volume = f"{self.namespace}-{_name(number)}"
            terms = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
            yield {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": volume, "labels": {"testbed-namespace": self.namespace}},
                "spec": {
                    **terms,
                    "capacity": {"storage": "1Gi"},
                    "persistentVolumeReclaimPolicy": "Retain",
                    "claimRef": {"namespace": self.namespace, "name": _name(number)},
                    "hostPath": {"path": str(folder), "type": "Directory"},
                },
            }
            yield {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": _name(number), "namespace": self.namespace},
                "spec": {**terms, "volumeName": volume, "resources": {"requests": {"storage": "1Gi"}}},
            }


def environment_volumes(kubectl: Kubectl, namespace: str, prefix: Path | None = None) -> EnvironmentVolumes:
    """Make an environment of this Python available to pods of a namespace: its own with this checkout, or another.

    Raises StepFailed if other users, such as a pod's, may not read it.
    """
    own = (Path(sys.prefix), ROOT)
    folders = _folders(Path(sys.base_prefix), *(own if prefix is None else (prefix,)))
    volumes = EnvironmentVolumes(namespace, folders, (prefix or own[0]) / "bin")
    kubectl.create(*volumes.manifests())
    for number, _ in enumerate(volumes.folders):
        claim = f"persistentvolumeclaim/{_name(number)}"
        kubectl.wait(claim, "jsonpath={.status.phase}=Bound", namespace=namespace, seconds=BINDING_SECONDS)
    return volumes


def remove_volumes(kubectl: Kubectl, namespace: str) -> None:
    """Remove what is not in a namespace and so outlives it."""
    kubectl("delete", "persistentvolume", "-l", f"testbed-namespace={namespace}", "--wait=false")


def _folders(*wanted: Path) -> tuple[Path, ...]:
    """Return those that an image has not, none inside of another."""
    folders = [folder for folder in dict.fromkeys(wanted) if folder not in OF_THE_IMAGE]
    for folder in folders:
        if folder.stat().st_mode & OTHERS_MAY_ENTER != OTHERS_MAY_ENTER:
            reason = f"users of pods may not read {folder}"
            raise StepFailed("mounting the Python environment into pods", reason, f"chmod o+rx {folder}")
    return tuple(folder for folder in folders if not _is_inside(folder, folders))


def _is_inside(folder: Path, folders: Sequence[Path]) -> bool:
    return any(folder != other and folder.is_relative_to(other) for other in folders)


def _name(number: int) -> str:
    return f"environment-{number}"
