"""The driver's log: warnings to the user at once, everything into a file of the output.

The file is written again after every stage, so a run that is killed leaves its story up to the stage before.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from afray.driver.progress import Display
from afray.errors import AfrayError
from afray.storage.store import Store

FOLDER = "logs"
_LOGGER = logging.getLogger("afray")
_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class _Notes(logging.Handler):
    """Warnings, above the progress bars."""

    def __init__(self, display: Display) -> None:
        super().__init__(logging.WARNING)
        self._display = display

    def emit(self, record: logging.LogRecord) -> None:
        self._display.note(f"{record.levelname.lower()}: {record.getMessage()}")


class Logbook:
    """Collects the log of one driver and keeps a copy in the output."""

    def __init__(self, output: Store, epoch: int) -> None:
        self._output, self._key = output, f"{FOLDER}/driver-{epoch}.log"
        self._text = io.StringIO()
        self.handler = logging.StreamHandler(self._text)
        self.handler.setFormatter(logging.Formatter(_FORMAT))

    def save(self) -> None:
        """Write what was collected; a log that cannot be stored is no reason to stop."""
        with suppress(AfrayError):
            self._output.overwrite(self._key, self._text.getvalue().encode())


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
    logbook, level = Logbook(output, epoch), _LOGGER.level
    _LOGGER.setLevel(logging.INFO)
    _LOGGER.addHandler(logbook.handler)
    try:
        yield logbook
    except AfrayError as error:
        _LOGGER.info("ended: %s: %s", type(error).__name__, error)
        raise
    finally:
        _LOGGER.removeHandler(logbook.handler)
        _LOGGER.setLevel(level)
        logbook.save()
