"""Credentials, endpoints and patience of a bucket store, from the environment and nowhere else.

They are set on the machines that do the work; no spec, digest, log or artefact ever holds them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast

from obstore import exceptions
from obstore.store import AzureStore, GCSStore, S3Store

from afray.storage.faults import StoreRefused

if TYPE_CHECKING:
    from obstore.store import AzureConfig, ClientConfig, GCSConfig, ObjectStore, RetryConfig, S3Config

RETRY_SECONDS = "AFRAY_STORE_RETRY_SECONDS"
"""How long a failing request is tried again; 30 if unset."""
SILENCE_SECONDS = "AFRAY_STORE_SILENCE_SECONDS"
"""How long a store may stay silent within one request; 60 if unset."""
ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")
CERTIFICATES = ("AWS_CA_BUNDLE", "SSL_CERT_FILE")
"""Files of further certificates to trust; the first that is set counts."""

VARIABLES: Mapping[str, frozenset[str]] = {
    "s3": frozenset(
        {
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "AWS_ENDPOINT_URL",
            "AWS_ENDPOINT_URL_S3",
            "AWS_ALLOW_HTTP",
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
            "AWS_SKIP_SIGNATURE",
            "AWS_REQUEST_PAYER",
            "AWS_METADATA_ENDPOINT",
            "AWS_ROLE_ARN",
            "AWS_ROLE_SESSION_NAME",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            "AWS_SERVER_SIDE_ENCRYPTION",
            "AWS_SSE_KMS_KEY_ID",
        }
    ),
    "gs": frozenset({"GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_KEY", "GOOGLE_APPLICATION_CREDENTIALS"}),
    "az": frozenset(
        {
            "AZURE_STORAGE_ACCOUNT_NAME",
            "AZURE_STORAGE_ACCOUNT_KEY",
            "AZURE_STORAGE_SAS_KEY",
            "AZURE_STORAGE_TOKEN",
            "AZURE_CLIENT_ID",
            "AZURE_CLIENT_SECRET",
            "AZURE_TENANT_ID",
            "AZURE_FEDERATED_TOKEN_FILE",
        }
    ),
}
"""What is read per scheme, under the names that each cloud's own tools use."""


def connect(scheme: str, bucket: str, environment: Mapping[str, str]) -> ObjectStore:
    """Return obstore's client of a bucket; nothing is sent yet."""
    config = {name.lower(): environment[name] for name in VARIABLES[scheme] if environment.get(name)}
    client, retry = _client(environment), _retry(environment)
    _require_usable_endpoint(environment)
    try:
        match scheme:
            case "s3":
                # Many servers that speak S3 lack the deletion of many objects at once.
                config["aws_disable_bulk_delete"] = "true"
                return S3Store(bucket, config=cast("S3Config", config), client_options=client, retry_config=retry)
            case "gs":
                return GCSStore(bucket, config=cast("GCSConfig", config), client_options=client, retry_config=retry)
            case _:
                return AzureStore(bucket, config=cast("AzureConfig", config), client_options=client, retry_config=retry)
    except exceptions.BaseError as error:
        # The text may quote a value, and the value may be a secret in the wrong place.
        problem = re.sub(r'"[^"]*"', "a value", str(error).partition("\n")[0])
        variables = ", ".join(name for name in sorted(VARIABLES[scheme]) if environment.get(name))
        raise StoreRefused(f"{scheme}://{bucket}", problem, f"Check the environment ({variables} are set)") from None


def _require_usable_endpoint(environment: Mapping[str, str]) -> None:
    """Refuse here what obstore would answer with a panic or with a riddle."""
    for name in ENDPOINTS:
        endpoint = environment.get(name, "")
        if endpoint and not re.fullmatch(r"https?://[\w.:\[\]-]+(/[\w./-]*)?", endpoint, re.ASCII):
            raise StoreRefused(name, "its value is no address", "Write https://<host> or http://<host>:<port>")
        if endpoint.startswith("http://") and environment.get("AWS_ALLOW_HTTP", "").lower() not in {"true", "1"}:
            raise StoreRefused(name, f"{endpoint!r} is not encrypted", "Use https, or allow it: AWS_ALLOW_HTTP=true")


def _client(environment: Mapping[str, str]) -> ClientConfig:
    silence = _seconds(environment, SILENCE_SECONDS, 60)
    client: ClientConfig = {
        "connect_timeout": timedelta(seconds=min(5, silence)),
        "read_timeout": timedelta(seconds=silence),
        # The whole of one request: a shard of 256 MB must get through a slow line.
        "timeout": timedelta(seconds=10 * silence),
    }
    for name in CERTIFICATES:
        if path := environment.get(name):
            client["root_certificate"] = _certificates(name, path)
            break
    return client


def _retry(environment: Mapping[str, str]) -> RetryConfig:
    patience = _seconds(environment, RETRY_SECONDS, 30)
    return {
        # Time alone decides: waits are random, so a number of retries can be over in a second or two.
        "max_retries": 1000,
        "retry_timeout": timedelta(seconds=patience),
        "backoff": {
            "init_backoff": timedelta(milliseconds=100),
            "max_backoff": timedelta(seconds=min(5, patience)),
            "base": 2,
        },
    }


def _certificates(name: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise StoreRefused(path, f"{name}: {error.strerror}", "Name a readable file of PEM certificates") from None


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name, "")
    try:
        seconds = float(text) if text else default
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86400:
        raise StoreRefused(name, f"{text!r} is no number of seconds", "Set a number above 0, or unset it")
    return seconds
