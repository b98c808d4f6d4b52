from __future__ import annotations

import torch

from afray.driver import machine
from afray.runtime.slots import Slot


def test_gpus_are_those_that_torch_sees() -> None:
    assert machine.count_gpus() == (torch.cuda.device_count() if torch.cuda.is_available() else 0)


def test_as_many_workers_as_asked_for_have_a_slot_each() -> None:
    gpus = machine.count_gpus()
    assert machine.local_slots(3) == (Slot(gpus=1.0 if gpus >= 3 else 0.0),) * 3
    assert len(machine.local_slots(None)) >= 1
