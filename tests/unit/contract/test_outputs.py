"""Names in an output by which a driver's traces are found."""

from __future__ import annotations

from itertools import pairwise

from afray.api.stages import Stage
from afray.contract.outputs import attempt_rank, log_key


def test_every_attempt_of_a_later_stage_ranks_above_all_of_an_earlier_one() -> None:
    order = [(Stage.select, 1), (Stage.select, 999), (Stage.labels, 1), (Stage.labels, 300), (Stage.finetune, 1)]
    ranks = [attempt_rank(stage, attempt) for stage, attempt in order]
    assert all(earlier < later for earlier, later in pairwise(ranks))


def test_the_log_is_named_after_the_epoch_of_its_driver() -> None:
    assert log_key(12) == "logs/driver-12.log"
