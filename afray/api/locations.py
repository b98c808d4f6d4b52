"""Where data lies: URIs and paths in a manifest, what people get wrong in them, and how relative ones resolve.

    s3://bucket/prefix  gs://bucket/prefix  az://container/prefix  file:///absolute/path    everywhere
    /absolute/path  relative/path  ~/path                                                   `afray run` only

A relative path starts at the directory in which the command runs, never at the manifest's.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote

from pydantic import AfterValidator, Field

from afray.api.problems import HIDDEN, broken

BUCKET_SCHEMES = ("s3", "gs", "az")
SCHEMES = (*BUCKET_SCHEMES, "file")
LONGEST = 2048
_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?P<slashes>/*)(?P<rest>.*)", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ANOTHER_SPELLING = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "azure": "az", "abfs": "az", "abfss": "az", "wasbs": "az"}
_NOT_A_STORE = {"http", "https", "ftp", "hdfs", "hf"}


def check_location(location: str) -> str:
    """Return the location; raises a broken rule for what no store can mean."""
    if location != location.strip() or not location.isprintable():
        raise broken("", location, "has blanks at an end or control characters", "Remove them.")
    if "${" in location or "{{" in location or location.startswith("$"):
        raise broken("", location, "is an unfilled template", "Fill the variables in first: afray expands none.")
    if uri := _URI.fullmatch(location):
        _check_uri(location, uri["scheme"], uri["slashes"], uri["rest"])
    return location


def _check_uri(location: str, scheme: str, slashes: str, rest: str) -> None:
    known = ", ".join(f"{name}://" for name in SCHEMES)
    if scheme.lower() in _NOT_A_STORE:
        raise broken("", _without_user(location), "is not an object store", f"Copy the files to one of: {known}")
    if len(scheme) == 1:
        raise broken("", location, "is a Windows path", "Run under WSL or Linux and write /mnt/c/..., or use a store.")
    right = _ANOTHER_SPELLING.get(scheme.lower(), scheme.lower())
    if right not in SCHEMES:
        remedy = f"Use {known} or a path; a path with ':' in its first part starts with './'."
        raise broken("", _without_user(location), f"has the unknown scheme {scheme}://", remedy)
    if right != scheme or not slashes.startswith("//"):
        written = f"{right}://{rest}" if right != "file" else f"file:///{rest}"
        raise broken("", _without_user(location), f"is not spelled {right}://", f"Write {_without_user(written)}")
    if scheme == "file":
        _check_file(location)
    else:
        _check_bucket(location, scheme, slashes, rest)


def _check_file(location: str) -> None:
    path = location.removeprefix("file://").removeprefix("localhost")
    if not path.startswith("/"):
        raise broken("", location, "names a host, not an absolute path", f"Write file:///{path}, or a path alone.")


def _check_bucket(location: str, scheme: str, slashes: str, rest: str) -> None:
    bucket, _, prefix = rest.partition("/")
    if "@" in bucket:
        remedy = "Take them out, and give them by environment (spec.runtime.envFrom on a cluster)."
        raise broken("", HIDDEN, "carries credentials", remedy)
    if slashes != "//" or not _BUCKET.fullmatch(bucket):
        raise broken("", location, "names no bucket", f"Write {scheme}://<bucket>/<prefix>.")
    if "//" in prefix.strip("/") or {".", ".."} & set(prefix.split("/")):
        raise broken("", location, "has an empty part, '.' or '..' in its key", "Write the key as the store lists it.")


def _without_user(location: str) -> str:
    """Everything up to an @ may be a password."""
    return HIDDEN if "@" in location else location


def check_file(location: str) -> str:
    """Return the location of one object; raises a broken rule for a folder."""
    if location.endswith("/"):
        raise broken("", location, "names a folder, and one file is needed", "Write the address of the file.")
    return location


def strip_slash(location: str) -> str:
    """One spelling for a folder, so that a slash at the end changes no digest."""
    return location.rstrip("/") or "/"


Prefix = Annotated[
    str, Field(min_length=1, max_length=LONGEST), AfterValidator(check_location), AfterValidator(strip_slash)
]
"""The address of everything below it."""
File = Annotated[
    str, Field(min_length=1, max_length=LONGEST), AfterValidator(check_location), AfterValidator(check_file)
]
"""The address of one object."""


def is_uri(location: str) -> bool:
    """Whether the location means the same on every machine that can reach it (false for a path)."""
    return location.split("://")[0] in SCHEMES


def resolve(location: str, base: Path) -> str:
    """The location as a URI; a relative path starts at `base`."""
    if is_uri(location):
        return location
    return (base.absolute() / Path(location).expanduser()).as_uri()


def contains(folder: str, location: str) -> bool:
    """Whether `location` is `folder` or lies below it; paths are compared as text, links are not followed."""
    outer, inner = _comparable(folder), _comparable(location)
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")


def _comparable(location: str) -> str:
    if location.startswith("file://"):
        return posixpath.normpath(unquote(location.removeprefix("file://").removeprefix("localhost")))
    return location if is_uri(location) else posixpath.normpath(location)
