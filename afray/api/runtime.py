"""The block that says what runs in every pod: image, account, environment. `afray run` does not use it.

Credentials come in by reference to Secrets only; a manifest is stored and shown in clear.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from afray.api.block import Block, OneOf
from afray.api.texts import AccountName, ContainerImage, ObjectName, SecretKey, VariableName, VariablePrefix, Version


class NamedObject(Block):
    """A Secret or ConfigMap in the job's namespace."""

    name: ObjectName
    """Its name."""


class OptionalObject(NamedObject):
    """A Secret or ConfigMap that may be missing if `optional` says so."""

    optional: bool = False
    """Start without it if it does not exist."""


class ObjectKey(OptionalObject):
    """One key of a Secret or ConfigMap."""

    key: SecretKey
    """The key in its data."""


class VariableSource(Block):
    """Where a variable's value comes from: exactly one field."""

    one_of = OneOf(
        "secret_key_ref", "config_map_key_ref", "Write secretKeyRef: {name: s3, key: AWS_SECRET_ACCESS_KEY}."
    )

    secret_key_ref: ObjectKey | None = None
    """A key of a Secret."""
    config_map_key_ref: ObjectKey | None = None
    """A key of a ConfigMap."""


class Variable(Block):
    """One environment variable: exactly one of value and valueFrom."""

    one_of = OneOf("value", "value_from", "Write value: text, or valueFrom: {secretKeyRef: {name: ..., key: ...}}.")

    name: VariableName
    """Its name."""
    value: str | None = Field(None, max_length=4096)
    """Its value, in clear: no secrets."""
    value_from: VariableSource | None = None
    """Where its value comes from."""


class VariablesSource(Block):
    """All keys of a Secret or ConfigMap as variables: exactly one of the two."""

    one_of = OneOf("secret_ref", "config_map_ref", "Write secretRef: {name: s3}.")

    secret_ref: OptionalObject | None = None
    """A Secret."""
    config_map_ref: OptionalObject | None = None
    """A ConfigMap."""
    prefix: VariablePrefix = ""
    """Put before every key."""


class RuntimeSpec(Block):
    """What runs in the head and in every worker."""

    image: ContainerImage
    """Image with afray[run] and Ray in it."""
    ray_version: Version
    """Version of Ray in the image."""
    image_pull_secrets: Annotated[tuple[NamedObject, ...], Field(strict=False, max_length=8)] = ()
    """Secrets to pull the image with, as in a pod: [{name: ...}]."""
    service_account_name: AccountName = ""
    """Account of the pods (IRSA, Workload Identity); the operator makes one if empty."""
    env_from: Annotated[tuple[VariablesSource, ...], Field(strict=False, max_length=16)] = ()
    """Secrets and ConfigMaps whose keys become variables: credentials, endpoint, region, CA bundle."""
    env: Annotated[tuple[Variable, ...], Field(strict=False, max_length=64)] = ()
    """Further variables."""
