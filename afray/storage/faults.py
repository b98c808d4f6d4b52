"""What can go wrong at a storage location, each with the address and the remedy.

No message repeats what a server said: an answer can quote a signed address or an access key.
"""

from __future__ import annotations

from afray.errors import Retryable, StorageError


class InvalidAddress(StorageError):
    """A URI or a key that no store can hold."""

    def __init__(self, address: str, problem: str, remedy: str) -> None:
        super().__init__(address, problem, remedy)
        self.address, self.problem, self.remedy = address, problem, remedy

    def __str__(self) -> str:
        return f"{self.address!r}: {self.problem}. {self.remedy}"


class ObjectMissing(StorageError):
    """Nothing is stored under this address."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address

    def __str__(self) -> str:
        return f"{self.address}: there is no such object. Check the address, and that nothing deleted it meanwhile"


class LinkBroken(ObjectMissing):
    """What is stored under this address is a link to nothing."""

    def __init__(self, address: str, target: str) -> None:
        StorageError.__init__(self, address, target)
        self.address, self.target = address, target

    def __str__(self) -> str:
        return (
            f"{self.address}: it is a link to {self.target}, and nothing is there. Fetch that file, or remove the link"
        )


class ObjectChanged(StorageError):
    """The object was replaced since it was listed."""

    def __init__(self, address: str, expected: str, found: str | None) -> None:
        super().__init__(address, expected, found)
        self.address, self.expected, self.found = address, expected, found

    def __str__(self) -> str:
        found = self.found or "another"
        return (
            f"{self.address}: the object changed since it was listed (etag {self.expected}, now {found}). "
            "Keep a pool unchanged while a job reads it, or use a new output to list it again"
        )


class AccessDenied(StorageError):
    """The credentials, or the lack of them, do not allow this access."""

    def __init__(self, address: str, detail: str, check: str) -> None:
        super().__init__(address, detail, check)
        self.address, self.detail, self.check = address, detail, check

    def __str__(self) -> str:
        return f"{self.address}: access denied ({self.detail}). Check {self.check}"


class StoreRefused(StorageError):
    """The store answered, and its answer is no for good."""

    def __init__(self, address: str, detail: str, remedy: str) -> None:
        super().__init__(address, detail, remedy)
        self.address, self.detail, self.remedy = address, detail, remedy

    def __str__(self) -> str:
        return f"{self.address}: {self.detail}. {self.remedy}"


class StoreUnreachable(Retryable):
    """The store does not answer, or only with server errors, after bounded retries."""

    def __init__(self, address: str, detail: str, check: str) -> None:
        super().__init__(address, detail, check)
        self.address, self.detail, self.check = address, detail, check

    def __str__(self) -> str:
        return f"{self.address}: the store cannot be reached ({self.detail}). Check {self.check}, then run again"


class StoreFull(Retryable):
    """There is no room left to write."""

    def __init__(self, address: str, detail: str) -> None:
        super().__init__(address, detail)
        self.address, self.detail = address, detail

    def __str__(self) -> str:
        return (
            f"{self.address}: no room left to write ({self.detail}). "
            "Free space or raise the quota, then run again: finished work is kept"
        )
