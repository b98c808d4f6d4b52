"""Reading addresses: the URI of a store, and keys below it.

    file:///data/my%20pool   percent escapes are decoded, as for any file URI
    /data/my pool            a plain path is taken literally; a relative one from where the command was started
    s3://bucket/my pool      bucket stores are taken literally: their keys may hold percent signs

A key is the same text on every store, so that a pool can move; what one of them cannot hold is refused here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from afray.storage.faults import InvalidAddress

SCHEMES = ("file", "s3", "gs", "az")
BUCKET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
UNSPEAKABLE = re.compile("[\\x00-\\x1f\\x7f\\ud800-\\udfff]")
"""Control characters, and what is no text at all (names that are not UTF-8)."""


@dataclass(frozen=True, slots=True)
class Location:
    """A parsed URI: `root` is a bucket, or the absolute folder of a local store; `prefix` is empty for the latter."""

    scheme: str
    root: str
    prefix: str

    @property
    def uri(self) -> str:
        """The address in one canonical spelling, without a slash at its end."""
        if self.scheme == "file":
            return Path(self.root).as_uri()
        return join(f"{self.scheme}://{self.root}", self.prefix)

    def child(self, prefix: str) -> Location:
        """Return the location `prefix` below this one."""
        if self.scheme == "file":
            return Location(self.scheme, str(Path(self.root) / prefix), "")
        return Location(self.scheme, self.root, join(self.prefix, prefix))


def join(base: str, key: str) -> str:
    """Join two parts of an address, either of which may be empty."""
    return f"{base}/{key}" if base and key else base or key


def parse(uri: str) -> Location:
    """Read a URI or a plain path; raises InvalidAddress."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return _local(uri, uri)
    if scheme == "file":
        return _local(uri, unquote(rest.removeprefix("localhost")))
    if scheme not in SCHEMES:
        raise InvalidAddress(uri, f"unknown scheme {scheme!r}", f"Use a path or one of {', '.join(SCHEMES)}://")
    bucket, _, prefix = rest.partition("/")
    if not BUCKET_NAME.fullmatch(bucket):
        raise InvalidAddress(uri, f"{bucket!r} is no name of a bucket", f"Write {scheme}://<bucket>/<prefix>")
    return Location(scheme, bucket, check_prefix(prefix))


def _local(uri: str, path: str) -> Location:
    if not path or "\0" in path:
        raise InvalidAddress(uri, "no path is named", "Write a folder, such as ./pool or file:///data/pool")
    if uri.startswith("file:") and not path.startswith("/"):
        raise InvalidAddress(uri, "a file URI needs an absolute path", "Write file:///<path>, or the path alone")
    return Location("file", str(Path(path).expanduser().absolute()), "")


def split(uri: str) -> tuple[str, str]:
    """Split the URI of one object into the URI of the folder that holds it and the key in there."""
    folder, separator, name = uri.rpartition("/")
    if not name or folder.endswith(":/"):
        raise InvalidAddress(uri, "this names no object", "Write the address of one file")
    if uri.startswith("file://"):
        name = unquote(name)
    return (folder or "/") if separator else ".", name


def check_prefix(prefix: str) -> str:
    """Return the folder without slashes at its end; raises InvalidAddress."""
    prefix = prefix.rstrip("/")
    return check_key(prefix) if prefix else ""


def check_key(key: str) -> str:
    """Return the key; raises InvalidAddress for what could escape its store or has no one spelling."""
    parts = key.split("/")
    if "" in parts or "." in parts or ".." in parts:
        raise InvalidAddress(key, "a key must not have an empty part, '.' or '..'", "Rename the object")
    if UNSPEAKABLE.search(key):
        raise InvalidAddress(key, "a key must be UTF-8 without control characters", "Rename the object")
    return key
