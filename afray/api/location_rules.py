"""What an API server asks of a location: the rules of `locations` in CEL, with its patterns, problems and remedies.

A cluster takes URIs only. Patterns are read by Python and by RE2.
"""

from __future__ import annotations

from typing import Final

from afray.api.cel import Rule, lacks, matches, quote

BUCKET_SCHEMES: Final = ("s3", "gs", "az")
SCHEMES: Final = (*BUCKET_SCHEMES, "file")
OTHER_SPELLINGS: Final = {
    "s3a": "s3",
    "s3n": "s3",
    "gcs": "gs",
    "azure": "az",
    "abfs": "az",
    "abfss": "az",
    "wasbs": "az",
}
NOT_A_STORE: Final = ("http", "https", "ftp", "hdfs", "hf")
SCHEME: Final = "[A-Za-z][A-Za-z0-9+.-]*"
BUCKET: Final = "[A-Za-z0-9][A-Za-z0-9._-]*"
_PART: Final = r"([^/.][^/]*|\.[^/.][^/]*|\.\.[^/]+)"
KEY: Final = f"{_PART}(/{_PART})*/?"
"""The key of an object or a prefix: no part is empty, `.` or `..`."""

_KNOWN: Final = ", ".join(f"{name}://" for name in SCHEMES)
_USE_KNOWN: Final = f"Use {_KNOWN} or a path; a path with ':' in its first part starts with './'."
_STORE: Final = f"^({'|'.join(BUCKET_SCHEMES)})://"
_WRITTEN_RIGHT: Final = f"^({'|'.join(SCHEMES)})://"
_MEANT: Final = f"^(?i:{'|'.join((*SCHEMES, *OTHER_SPELLINGS))}):"
_ELSEWHERE: Final = f"^(?i:{'|'.join(NOT_A_STORE)}):"
_ANY_SCHEME: Final = f"^{SCHEME}:"

BLANKS: Final = Rule(
    rule=lacks("^ | $") + " && " + lacks(r"[\p{C}\p{Z}]", "self.replace(' ', '')"),
    problem="has blanks at an end or control characters",
    remedy="Remove them.",
)
TEMPLATE: Final = Rule(
    rule=lacks(r"^\$|\$\{|\{\{"),
    problem="is an unfilled template",
    remedy="Fill the variables in first: afray expands none.",
)
PATH: Final = Rule(
    rule=matches(_ANY_SCHEME),
    problem="is a path, and a cluster needs a URI",
    remedy="Write s3://, gs:// or az://, or file:///path for a volume that every pod mounts there.",
)
WINDOWS: Final = Rule(
    rule=lacks("^[A-Za-z]:"),
    problem="is a Windows path",
    remedy="Run under WSL or Linux and write /mnt/c/..., or use a store.",
)
NO_STORE: Final = Rule(
    rule=lacks(_ELSEWHERE),
    problem="is not an object store",
    remedy=f"Copy the files to one of: {_KNOWN}",
)
UNKNOWN_SCHEME: Final = Rule(
    rule=f"{lacks(_ANY_SCHEME)} || {matches('^[A-Za-z]:')} || {matches(_ELSEWHERE)} || {matches(_MEANT)}",
    problem="has an unknown scheme",
    remedy=_USE_KNOWN,
    says=f"'has the unknown scheme ' + self.split(':', 2)[0] + {quote(f'://. {_USE_KNOWN}')}",
)
SPELLING: Final = Rule(
    rule=f"{lacks(_MEANT)} || {matches(_WRITTEN_RIGHT)}",
    problem="does not spell its scheme as afray does",
    remedy=f"Use one of: {_KNOWN}",
    says=(
        f"[self.split(':', 2)[0].lowerAscii()].map(s, s in {quote(OTHER_SPELLINGS)} ? {quote(OTHER_SPELLINGS)}[s] : s)"
        ".map(s, 'is not spelled ' + s + '://. Write ' + s + (s == 'file' ? ':///' : '://')"
        " + (self.contains('@') ? '...' : self.find('[:][/]*[^/].*').find('[^:/].*')))[0]"
    ),
)
FILE_HOST: Final = Rule(
    rule=f"!self.startsWith('file://') || {matches('^file://(localhost)?/')}",
    problem="names a host, not an absolute path",
    remedy="Write file:///path, or a path alone.",
)
CREDENTIALS: Final = Rule(
    rule=lacks(f"{_STORE}[^/]*@"),
    problem="carries credentials",
    remedy="Take them out, and give them by environment (spec.runtime.envFrom on a cluster).",
)
NO_BUCKET: Final = Rule(
    rule=lacks(_STORE) + " || " + matches(f"{_STORE}({BUCKET}(/|$)|[^/]*@)"),
    problem="names no bucket",
    remedy="Write <scheme>://<bucket>/<prefix>.",
)
ODD_KEY: Final = Rule(
    rule=lacks(f"{_STORE}[^/]+/.") + " || " + matches(f"{_STORE}[^/]+/{KEY}$"),
    problem="has an empty part, '.' or '..' in its key",
    remedy="Write the key as the store lists it.",
)
FOLDER: Final = Rule(
    rule="!self.endsWith('/')",
    problem="names a folder, and one file is needed",
    remedy="Write the address of the file.",
)
EVERY_LOCATION: Final = (
    BLANKS,
    TEMPLATE,
    PATH,
    WINDOWS,
    NO_STORE,
    UNKNOWN_SCHEME,
    SPELLING,
    FILE_HOST,
    CREDENTIALS,
    NO_BUCKET,
    ODD_KEY,
)
