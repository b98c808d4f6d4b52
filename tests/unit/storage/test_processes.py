from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace

from afray.storage.processes import Liveness, Process, liveness, this_process

DESCRIBE = "from afray.storage.processes import this_process; print(this_process()); input()"


def test_this_process_is_alive() -> None:
    process = this_process()
    assert process.pid == os.getpid()
    assert liveness(process) is Liveness.ALIVE
    assert this_process() == process


def test_a_process_that_ended_is_known_to_have_ended_even_before_its_parent_notices() -> None:
    child = subprocess.Popen([sys.executable, "-c", DESCRIBE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    process: Process = eval(child.stdout.readline(), {"Process": Process})
    assert liveness(process) is Liveness.ALIVE
    child.kill()
    deadline = time.monotonic() + 10
    while liveness(process) is not Liveness.ENDED and time.monotonic() < deadline:
        time.sleep(0.01)
    assert liveness(process) is Liveness.ENDED
    child.communicate()
    assert liveness(process) is Liveness.ENDED


def test_a_pid_that_was_given_to_another_process_does_not_keep_the_first_one_alive() -> None:
    assert liveness(replace(this_process(), started="1")) is Liveness.ENDED


def test_nothing_is_known_about_a_process_of_another_machine_or_container() -> None:
    assert liveness(replace(this_process(), space="elsewhere")) is Liveness.UNKNOWN


def test_where_start_times_are_not_told_a_used_pid_proves_nothing() -> None:
    process = replace(this_process(), started=None)
    assert liveness(process) is Liveness.UNKNOWN
    # The largest pid that Linux ever gives is far below.
    assert liveness(replace(process, pid=2**31 - 2)) is Liveness.ENDED
