"""The driver's log: warnings to the user at once, everything into a file of the output.

The file is written again after every stage, and every SAVE_SECONDS while there is something new: a run that is killed
leaves its story up to then.
"""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

from afray.contract.outputs import log_key
from afray.driver.progress import Display
from afray.errors import AfrayError
from afray.storage.store import Store

SAVE_SECONDS = 30.0
_LOGGER = logging.getLogger("afray")
FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class _Notes(logging.Handler):
    """Warnings, above the progress bars."""

    def __init__(self, display: Display) -> None:
        super().__init__(logging.WARNING)
        self._display = display

    def emit(self, record: logging.LogRecord) -> None:
        self._display.note(f"{record.levelname.lower()}: {record.getMessage()}")


class Logbook:
    """Collects the log of one driver and keeps a copy in the output; as a context, it saves on its own."""

    def __init__(self, output: Store, epoch: int) -> None:
        self._output, self._key = output, log_key(epoch)
        self._text = io.StringIO()
        self._saved = 0
        self._saving = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._save_now_and_then, name="afray-log", daemon=True)
        self.handler = logging.StreamHandler(self._text)
        self.handler.setFormatter(logging.Formatter(FORMAT))

    @property
    def uri(self) -> str:
        """Where the copy is."""
        return f"{self._output.uri}/{self._key}"

    def save(self) -> None:
        """Write what was collected; a log that cannot be stored is no reason to stop."""
        with self._saving, suppress(AfrayError):
            text = self._text.getvalue()
            if len(text) > self._saved:
                self._output.overwrite(self._key, text.encode(errors="replace"))
                self._saved = len(text)

    def _save_now_and_then(self) -> None:
        while not self._closed.wait(SAVE_SECONDS):
            self.save()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self.save()


@contextmanager
def noting(display: Display) -> Iterator[None]:
    """Show the warnings of afray's own modules until the context ends."""
    notes = _Notes(display)
    _LOGGER.addHandler(notes)
    try:
        yield
    finally:
        _LOGGER.removeHandler(notes)


@contextmanager
def logging_to(output: Store, epoch: int) -> Iterator[Logbook]:
    """Collect the log of afray's own modules until the context ends, also when it ends with an error."""
    level = _LOGGER.level
    with Logbook(output, epoch) as logbook:
        _LOGGER.setLevel(logging.INFO)
        _LOGGER.addHandler(logbook.handler)
        try:
            yield logbook
        except BaseException as error:
            is_unforeseen = isinstance(error, Exception) and not isinstance(error, AfrayError)
            # Where a person sees the error anyway, it is not told twice: hence no level that is noted.
            _LOGGER.info("ended: %s", _describe(error), exc_info=is_unforeseen)
            raise
        finally:
            _LOGGER.removeHandler(logbook.handler)
            _LOGGER.setLevel(level)


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
