"""What a bucket's answers mean: obstore's errors, told in our terms.

Their text holds the server's whole answer, which can quote a signed address or an access key. So only the status, the
server's one-word code and the kind of a network error are taken out of it, and the error itself is not chained.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from obstore import exceptions

from afray.storage.faults import AccessDenied, ObjectMissing, StoreFull, StoreRefused, StoreUnreachable

DENIED_STATUSES = frozenset({"401", "403"})
DENIED_CODES = frozenset({"ExpiredToken", "InvalidToken", "RequestTimeTooSkewed", "TokenRefreshRequired"})
BUSY_STATUSES = frozenset({"408", "429"})
NETWORK_TROUBLE: Mapping[str, str] = {"Connect": "no connection", "Timeout": "no answer in time"}

CREDENTIALS = (
    "the access keys or the service account in the environment, their expiry and this machine's clock, and the rights "
    "to read, write and list this bucket (without the right to list, a missing object answers 403, too)"
)
NO_CREDENTIALS = "that AWS_ACCESS_KEY_ID, or what your cloud has in its place, is set where this runs"
ENDPOINT = "the endpoint (AWS_ENDPOINT_URL), the network and the proxy"
SETTINGS = "Check the bucket's name, the region and the endpoint (AWS_REGION, AWS_ENDPOINT_URL)"

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_NETWORK = re.compile(r"kind: (Connect|Timeout|Request|Interrupted|Decode|Unknown)\b")
_INSTANCE_ROLE = re.compile(r"/latest/api/token|/latest/meta-data|/computeMetadata|/metadata/identity")


class RangeBeyondEnd(StoreRefused):
    """The wanted range starts where the object has ended; readers of ranges answer it with no bytes."""


def fault(error: Exception, address: str) -> Exception:
    """Return what to raise for an error of obstore at an address."""
    text = str(error)
    if _INSTANCE_ROLE.search(text):
        return AccessDenied(address, "no credentials, and this machine has no role", NO_CREDENTIALS)
    if isinstance(error, exceptions.InvalidPathError):
        return StoreRefused(address, _first_line(text), "Rename that object: it has no spelling on other stores")
    if status := _first(_STATUS, text):
        return _refusal(status, _first(_CODE, text), address)
    if isinstance(error, FileNotFoundError):
        return ObjectMissing(address)
    if network := _first(_NETWORK, text):
        return StoreUnreachable(address, NETWORK_TROUBLE.get(network, "the connection broke"), ENDPOINT)
    return StoreRefused(address, _first_line(text), SETTINGS)


def _refusal(status: str, code: str | None, address: str) -> Exception:
    """Return what an HTTP status that is no success means."""
    answer = f"HTTP {status} {code}" if code else f"HTTP {status}"
    if code == "NoSuchBucket":
        return no_bucket(address)
    if status == "404":
        return ObjectMissing(address)
    if status == "416":
        return RangeBeyondEnd(address, answer, "Read less")
    if status in DENIED_STATUSES or code in DENIED_CODES:
        return AccessDenied(address, answer, CREDENTIALS)
    if status == "507":
        return StoreFull(address, answer)
    if status == "501":
        return StoreRefused(
            address, answer, "This store lacks what afray needs, such as conditional writes; use another"
        )
    if status >= "500" or status in BUSY_STATUSES:
        return StoreUnreachable(address, answer, "that the store is well and not overloaded")
    return StoreRefused(address, answer, SETTINGS)


def no_bucket(address: str) -> StoreRefused:
    """Return what to raise where the bucket itself is missing."""
    return StoreRefused(address, "there is no such bucket", SETTINGS)


def is_conflict(error: exceptions.AlreadyExistsError) -> bool:
    """Tell whether the object only seems to exist: another write of the key is under way, and may yet fail."""
    return _first(_STATUS, str(error)) == "409"


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match.group(1) if match else None


def _first_line(text: str) -> str:
    """Return the first line without what a web address carries after its path, which can be a signature."""
    return re.sub(r"\?\S*", "", text.partition("\n")[0])[:200]
