"""The whole CustomResourceDefinition: names, schema of spec and status, printer columns."""

from __future__ import annotations

from typing import Any, Final

import yaml
from pydantic import JsonValue

from afray.api.cel import VALIDATIONS
from afray.api.crd.leaves import Schema
from afray.api.crd.rules import BLOCK_RULES
from afray.api.crd.structure import block
from afray.api.job import GROUP, KIND, PLURAL, VERSION, JobSpec, SelectionJob
from afray.api.status import JobStatus

NAME: Final = f"{PLURAL}.{GROUP}"
LARGEST: Final = 262_144
"""Bytes that `kubectl apply` can keep in an annotation."""
_COLUMNS: Final[list[JsonValue]] = [
    {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
    {"name": "Progress", "type": "string", "jsonPath": ".status.progress.summary"},
    {"name": "Selected", "type": "integer", "jsonPath": ".status.result.selected"},
    {"name": "Attempt", "type": "integer", "jsonPath": ".status.attempt.number", "priority": 1},
    {"name": "GPU-Seconds", "type": "integer", "jsonPath": ".status.usage.gpuSeconds", "priority": 1},
    {"name": "Reason", "type": "string", "jsonPath": ".status.reason", "priority": 1},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]
CHART_VERSION: Final = f"{GROUP}/chart-version"
"""Annotation of the definition in a cluster."""
_VERSION: Final = "VERSION_OF_THE_CHART"
_HEADER: Final = "# Written from the models by `make generate`; change the models, not this file.\n"


def definition() -> dict[str, Any]:
    """The definition as an object."""
    names = {"kind": KIND, "listKind": f"{KIND}List", "plural": PLURAL, "singular": KIND.lower()}
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": _COLUMNS,
        "schema": {"openAPIV3Schema": _root()},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {**names, "shortNames": ["sj", "seljob"], "categories": ["all"]},
            "versions": [version],
        },
    }


def _root() -> Schema:
    """Kind, name and the like are the API server's own; only the name is bounded further, by a rule."""
    return {
        "description": " ".join((SelectionJob.__doc__ or "").split()),
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"description": "The grammar's version.", "type": "string"},
            "kind": {"description": "The object's kind.", "type": "string"},
            "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
            "spec": block(JobSpec),
            "status": block(JobStatus),
        },
        VALIDATIONS: [rule.to_schema() for rule in BLOCK_RULES[SelectionJob]],
    }


def render() -> str:
    """The definition as YAML, for `kubectl apply`."""
    return _HEADER + _write(definition())


def render_template() -> str:
    """The definition as a template of the chart: it stays when the release goes, as all jobs would go with it.

    It says which chart it is of, so that an older one does not replace it and drop fields of jobs that are there.
    """
    kept = definition()
    kept["metadata"] = {**kept["metadata"], "annotations": {"helm.sh/resource-policy": "keep", CHART_VERSION: _VERSION}}
    text = _write(kept).replace("{{", '{{ "{{" }}').replace(_VERSION, '"{{ .Chart.Version }}"')
    return f"{_HEADER}{{{{- if .Values.crds.install }}}}\n{text}{{{{- end }}}}\n"


class _Plain(yaml.SafeDumper):
    """Writes equal parts twice, where YAML would refer to the first."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _write(content: object) -> str:
    text: str = yaml.dump(content, Dumper=_Plain, sort_keys=False, width=120, allow_unicode=True)
    return text
