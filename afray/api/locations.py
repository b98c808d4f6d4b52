"""Where data lies: URIs and paths in a manifest, what people get wrong in them, and how relative ones resolve.

    s3://bucket/prefix  gs://bucket/prefix  az://container/prefix  file:///absolute/path    everywhere
    /absolute/path  relative/path  ~/path                                                   `afray run` only

A relative path starts at the directory in which the command runs, never at the manifest's.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from afray.api import location_rules as rules
from afray.api.cel import Checked, Rule
from afray.api.location_rules import SCHEMES
from afray.api.problems import HIDDEN, broken

LONGEST = 2048
_URI = re.compile(rf"(?P<scheme>{rules.SCHEME}):(?P<slashes>/*)(?P<rest>.*)", re.DOTALL)
_INVISIBLE = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Zs"})


def check_location(location: str) -> str:
    """Return the location; raises a broken rule for what no store can mean."""
    if location != location.strip(" ") or any(map(_is_invisible, location)):
        raise _breaks(rules.BLANKS, location)
    if "${" in location or "{{" in location or location.startswith("$"):
        raise _breaks(rules.TEMPLATE, location)
    if uri := _URI.fullmatch(location):
        _check_uri(location, uri["scheme"], uri["slashes"], uri["rest"])
    return location


def _breaks(rule: Rule, location: str) -> PydanticCustomError:
    return broken("", location, rule.problem, rule.remedy)


def _is_invisible(character: str) -> bool:
    return character != " " and unicodedata.category(character) in _INVISIBLE


def _check_uri(location: str, scheme: str, slashes: str, rest: str) -> None:
    if scheme.lower() in rules.NOT_A_STORE:
        raise _breaks(rules.NO_STORE, _without_user(location))
    if len(scheme) == 1:
        raise _breaks(rules.WINDOWS, location)
    right = rules.OTHER_SPELLINGS.get(scheme.lower(), scheme.lower())
    if right not in SCHEMES:
        remedy = rules.UNKNOWN_SCHEME.remedy
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
        raise broken("", location, rules.FILE_HOST.problem, f"Write file:///{path}, or a path alone.")


def _check_bucket(location: str, scheme: str, slashes: str, rest: str) -> None:
    bucket, _, key = rest.partition("/")
    if "@" in bucket:
        raise _breaks(rules.CREDENTIALS, HIDDEN)
    if slashes != "//" or not re.fullmatch(rules.BUCKET, bucket):
        raise broken("", location, rules.NO_BUCKET.problem, f"Write {scheme}://<bucket>/<prefix>.")
    if key and not re.fullmatch(rules.KEY, key):
        raise _breaks(rules.ODD_KEY, location)


def _without_user(location: str) -> str:
    """Everything up to an @ may be a password."""
    return HIDDEN if "@" in location else location


def check_file(location: str) -> str:
    """Return the location of one object; raises a broken rule for a folder."""
    if location.endswith("/"):
        raise _breaks(rules.FOLDER, location)
    return location


def strip_slash(location: str) -> str:
    """One spelling for a folder, so that a slash at the end changes no digest."""
    return location.rstrip("/") or "/"


Prefix = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST),
    AfterValidator(check_location),
    AfterValidator(strip_slash),
    Checked(*rules.EVERY_LOCATION),
]
"""The address of everything below it."""
File = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST),
    AfterValidator(check_location),
    AfterValidator(check_file),
    Checked(*rules.EVERY_LOCATION, rules.FOLDER),
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
