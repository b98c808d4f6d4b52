"""One SelectionJob as the API server holds it, parsed once. A newer CRD may hold more: that is kept, and not judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic.alias_generators import to_camel

from afray.api.status import JobStatus
from afray.client.faults import ClusterFault
from afray.contract.names import QUEUE_LABEL

Raw = dict[str, JsonValue]
"""An object as JSON."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, validate_by_alias=True)


class _Metadata(_Part):
    name: str
    namespace: str
    uid: str
    resource_version: str = ""  # an object of a dry run has none
    generation: int = 0
    labels: Mapping[str, str] = Field(default_factory=dict)
    deletion_timestamp: str | None = None


class _Output(_Part):
    uri: str = ""


class _Spec(_Part):
    suspend: bool = False
    output: _Output = _Output()


class _Object(_Part):
    metadata: _Metadata
    spec: _Spec = _Spec()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """What the command line reads of a job, and the whole of it in `raw`."""

    name: str
    namespace: str
    uid: str
    version: str
    """The resourceVersion, from which a watch goes on."""
    generation: int
    """Counts changes of the spec; a status that has seen fewer speaks of an older one."""
    queue: str
    suspend: bool
    """What the user wants, not what is."""
    deleting: bool
    output: str
    """Where everything that the job writes goes."""
    status: JobStatus
    raw: Raw

    @classmethod
    def read(cls, raw: Raw) -> Self:
        """Parse what an API server gave; raises ClusterFault if it is no SelectionJob."""
        try:
            known = _Object.model_validate(raw)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(map(str, first["loc"]))
            raise ClusterFault(
                f"the API server holds a SelectionJob that this afray cannot read ({field}: {first['msg']}). Upgrade it"
            ) from None
        metadata = known.metadata
        return cls(
            name=metadata.name,
            namespace=metadata.namespace,
            uid=metadata.uid,
            version=metadata.resource_version,
            generation=metadata.generation,
            queue=metadata.labels.get(QUEUE_LABEL, ""),
            suspend=known.spec.suspend,
            deleting=metadata.deletion_timestamp is not None,
            output=known.spec.output.uri,
            status=JobStatus.read(raw.get("status")),
            raw=raw,
        )


def presentable(raw: Raw) -> Raw:
    """The object without the bookkeeping that nobody reads, as kubectl shows it."""
    metadata = raw.get("metadata")
    if not isinstance(metadata, dict):
        return raw
    return {**raw, "metadata": {name: value for name, value in metadata.items() if name != "managedFields"}}
