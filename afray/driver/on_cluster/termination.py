"""SIGTERM: the work is left through its `finally`s, the log is saved, and the process is gone within seconds.

    signal --> handler: raises Terminated in the main thread, at its next bytecode
         \\---> wake-up pipe --> a thread: ends the process if that takes longer than GRACE_SECONDS

The pipe is written by the interpreter's C handler, so the thread hears of the signal while the main thread is deep in a
library. Whatever is cut short was either committed whole or never happened.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

log = logging.getLogger(__name__)

EXIT_CODE = 128 + signal.SIGTERM
GRACE_SECONDS = 8.0


class Terminated(BaseException):
    """Raised in the main thread by SIGTERM; no `except Exception` may swallow it."""


class Termination:
    """SIGTERM's handler while the context lasts."""

    def __init__(self, grace_seconds: float = GRACE_SECONDS) -> None:
        self.requested = False
        """Libraries turn an exception from a handler into others of their own; this one fact stays."""
        self._has_raised = False
        self._grace_seconds = grace_seconds
        self._over = threading.Event()

    @contextmanager
    def handled(self) -> Iterator[Termination]:
        """Take the signal over until the end; for the main thread."""
        reader, writer = socket.socketpair()
        writer.setblocking(False)
        threading.Thread(target=self._watch, args=(reader,), name="afray-termination", daemon=True).start()
        earlier, earlier_fd = signal.getsignal(signal.SIGTERM), signal.set_wakeup_fd(writer.fileno())
        self.take_signal()
        try:
            yield self
        finally:
            self._over.set()
            signal.set_wakeup_fd(earlier_fd)
            signal.signal(signal.SIGTERM, earlier)
            writer.close()

    def take_signal(self) -> None:
        """Set the handler, also where a library (Ray, when it connects) has put its own in between."""
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True
        if not self._has_raised:
            self._has_raised = True
            raise Terminated

    def _watch(self, reader: socket.socket) -> None:
        with reader:
            while received := reader.recv(64):
                if signal.SIGTERM in received:
                    self.requested = True  # whoever has put another handler in place just now
                    break
            else:
                return
        if not self._over.wait(self._grace_seconds):
            log.warning("stopping took longer than %.0f s; what is committed stays", self._grace_seconds)
            os._exit(EXIT_CODE)
