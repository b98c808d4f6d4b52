"""In processes of their own: a signal's handler belongs to a whole process."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from afray.driver.on_cluster.termination import EXIT_CODE

PREAMBLE = """
import hashlib, signal, sys, time
from afray.driver.on_cluster.termination import Termination

termination = Termination(grace_seconds=0.5)
def work():
    print("working", flush=True)
    {work}
try:
    with termination.handled():
        try:
            work()
        finally:
            print("cleaned up", flush=True)
            {cleanup}
except BaseException as error:
    print(type(error).__name__, termination.requested)
    sys.exit(143)
"""


def terminate(work: str, cleanup: str = "pass", *, signals: int = 1) -> tuple[int, list[str], float]:
    """Exit code, what the process said, and how long it took to end."""
    code = PREAMBLE.format(work=work, cleanup=cleanup)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    time.sleep(0.5)  # until it is in the midst of it
    began = time.monotonic()
    for _ in range(signals):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.05)
    said, _ = process.communicate(timeout=60)
    return process.returncode, said.split("\n")[:-1], time.monotonic() - began


def test_work_is_left_through_its_finallys() -> None:
    assert terminate("time.sleep(60)")[:2] == (EXIT_CODE, ["cleaned up", "Terminated True"])


def test_no_except_exception_swallows_it() -> None:
    work = """
    while True:
        try: time.sleep(60)
        except Exception: pass"""
    assert terminate(work)[:2] == (EXIT_CODE, ["cleaned up", "Terminated True"])


def test_a_second_signal_does_not_disturb_the_cleaning() -> None:
    code, said, _ = terminate("time.sleep(60)", "time.sleep(0.3); print('done', flush=True)", signals=3)
    assert (code, said) == (EXIT_CODE, ["cleaned up", "done", "Terminated True"])


def test_a_cleaning_that_hangs_ends_with_the_grace() -> None:
    code, said, seconds = terminate("time.sleep(60)", "time.sleep(60)")
    assert (code, said) == (EXIT_CODE, ["cleaned up"])
    assert seconds < 10


def test_a_library_that_does_not_return_ends_with_the_grace() -> None:
    code, said, seconds = terminate("hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)")
    assert (code, said) == (EXIT_CODE, [])
    assert seconds < 10


def test_a_handler_that_a_library_put_in_between_is_taken_back() -> None:
    work = """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(15))
    termination.take_signal()
    time.sleep(60)"""
    assert terminate(work)[1][-1] == "Terminated True"


def test_a_signal_in_between_is_known_all_the_same() -> None:
    work = """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(15))
    time.sleep(60)"""
    assert terminate(work, "time.sleep(0.2)")[1][-1] == "SystemExit True"
