"""The two ConfigMaps of a job. Whatever a driver, or anybody in the namespace, wrote there is untrusted."""

from __future__ import annotations

import json
from collections.abc import Iterable

from afray.contract import names, progress
from afray.contract.progress import UnreadablePayload, read_progress
from afray_operator.manifests.supporting import templates_name
from afray_operator.manifests.templates import Templates, read_templates
from afray_operator.observed.facts import ProgressSeen
from afray_operator.observed.json_access import Raw, block, text
from afray_operator.observed.ray import controller_uid

KNOWN_VERSION = 1


def read_progress_map(found: Iterable[Raw], job: str, uid: str) -> ProgressSeen:
    """What the driver says, among the ConfigMaps of the job."""
    raw = _named(found, names.progress_name(job))
    if raw is None:
        return ProgressSeen()
    if controller_uid(block(raw, "metadata")) != uid:  # that of a job of this name before: its results are not ours
        return ProgressSeen(exists=True, refused="the ConfigMap belongs to somebody else")
    said = text(block(raw, "data"), progress.KEY)
    if not said:
        return ProgressSeen(exists=True)
    try:
        return ProgressSeen(exists=True, payload=read_progress(said))
    except UnreadablePayload as error:
        return ProgressSeen(exists=True, refused=str(error), version=_foreign_version(said))
    except (RecursionError, UnicodeError):
        return ProgressSeen(exists=True, refused="not a payload at all")


def _foreign_version(said: str) -> int | None:
    """The version that a payload of another afray names."""
    if len(said) > progress.LARGEST:
        return None
    try:
        version = json.loads(said).get("version")
    except (ValueError, AttributeError, RecursionError):
        return None
    is_number = isinstance(version, int) and not isinstance(version, bool)
    return version if is_number and version != KNOWN_VERSION and 0 < version < 2**31 else None


def read_templates_map(found: Iterable[Raw], job: str, uid: str) -> Templates | None:
    """The accepted pod templates; None if there are none, or another job's of the same name."""
    raw = _named(found, templates_name(job))
    if raw is None or controller_uid(block(raw, "metadata")) != uid:
        return None
    return read_templates(block(raw, "data"))


def _named(found: Iterable[Raw], name: str) -> Raw | None:
    return next((raw for raw in found if text(block(raw, "metadata"), "name") == name), None)
