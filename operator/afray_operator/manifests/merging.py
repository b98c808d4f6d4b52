"""A pod template of a user laid over ours as Kubernetes merges strategically.

Mappings merge field by field, null takes a field away, lists of the table merge by their key, and all other lists
(tolerations, envFrom, command) are replaced. What Kubernetes would refuse is left as it is: the dry-run tells of it.
"""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue

Manifest = dict[str, JsonValue]
"""A Kubernetes object, or a part of one."""

MERGE_KEYS: Final = {
    # lists of a pod
    "containers": "name",
    "ephemeralContainers": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "resourceClaims": "name",
    "schedulingGates": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumes": "name",
    # lists of a container
    "env": "name",
    "ports": "containerPort",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
}
"""The patchMergeKey of every list in PodSpec and Container that has one; no name means two different lists."""

RETAIN_KEYS: Final = frozenset({"resourceClaims", "volumes", "env"})
"""Entries that are one of several kinds: fields of the other kind must not survive. (For `env` the API server itself
refuses `value` beside `valueFrom`.)"""


def merge(base: Manifest, patch: Manifest) -> Manifest:
    """Lay `patch` over `base`; neither is changed."""
    merged = {name: value for name, value in base.items() if name not in patch or patch[name] is not None}
    for name, value in patch.items():
        if value is not None:
            merged[name] = _merge_field(name, base.get(name), value)
    return merged


def _merge_field(name: str, old: JsonValue, new: JsonValue) -> JsonValue:
    if isinstance(new, dict):
        return merge(old if isinstance(old, dict) else {}, new)
    key = MERGE_KEYS.get(name)
    if key is None or not isinstance(new, list) or not isinstance(old, list):
        return new
    before, after = _by_key(old, key), _by_key(new, key)
    if before is None or after is None:
        return new
    retain = name in RETAIN_KEYS
    return [*(_merge_entry(before[at], after.get(at), retain) for at in before), *_added(before, after)]


def _added(before: dict[JsonValue, Manifest], after: dict[JsonValue, Manifest]) -> list[JsonValue]:
    return [merge({}, entry) for at, entry in after.items() if at not in before]


def _merge_entry(old: Manifest, new: Manifest | None, retain: bool) -> Manifest:
    if new is None:
        return old
    return merge({name: value for name, value in old.items() if name in new} if retain else old, new)


def _by_key(entries: list[JsonValue], key: str) -> dict[JsonValue, Manifest] | None:
    """Entries by their merge key, in order; None if one has no key, or two the same: then the list is one value."""
    found: dict[JsonValue, Manifest] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(at := entry.get(key), str | int) or at in found:
            return None
        found[at] = entry
    return found
