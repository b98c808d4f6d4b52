"""Objects judged by the schemas of Kubernetes and of the Prometheus operator, unknown fields included."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import kubernetes_validate
import yaml
from jsonschema import Draft202012Validator
from testbed.gomodules import source

MONITORING_GROUP = "monitoring.coreos.com/"


def complaint(manifest: Mapping[str, Any], kubernetes: str) -> str | None:
    """What a version of Kubernetes would refuse in an object, None if nothing. Raises if it does not know the kind."""
    if manifest["apiVersion"].startswith(MONITORING_GROUP):
        errors = (
            f"{error.json_path}: {error.message}" for error in _monitoring(manifest["kind"]).iter_errors(manifest)
        )
        return next(errors, None)
    try:
        kubernetes_validate.validate(manifest, kubernetes, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{error.json_path}: {error.message}"
    return None


@cache
def _monitoring(kind: str) -> Draft202012Validator:
    path = source("monitoring-crds") / f"{MONITORING_GROUP[:-1]}_{kind.lower()}s.yaml"
    (version,) = (one for one in yaml.safe_load(path.read_text())["spec"]["versions"] if one["storage"])
    return Draft202012Validator(_closed(version["schema"]["openAPIV3Schema"]))


def _closed(schema: Any) -> Any:
    """The schema with every object closed to fields that it does not name: an API server would drop them silently."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(inner) for name, inner in schema.items()}
    is_open = "additionalProperties" in schema or "x-kubernetes-preserve-unknown-fields" in schema
    return (
        closed
        if is_open or not isinstance(schema.get("properties"), dict)
        else {**closed, "additionalProperties": False}
    )
