from __future__ import annotations

import logging
import os
import pickle
import time
from collections.abc import Callable
from multiprocessing.pool import ThreadPool

import pytest
from helpers.answering_server import Answer, answering
from helpers.owners import NEVER_WAITING, QUICK, owner_elsewhere, owner_ended, owner_here
from helpers.owning import OwningProcess
from helpers.s3_server import S3Server, environment

from afray.errors import Fenced, IntegrityError, OwnershipError
from afray.storage.beats import Timing, read_beat
from afray.storage.claims import Owner, beat_key, newest_epoch, read_claim
from afray.storage.commits import commit, committed
from afray.storage.ownership import SELECTION, Ownership, probe_conditional_create
from afray.storage.store import Store, StoreRefused

SPEC = "sha256-of-a-spec"


def acquire(
    store: Store, owner: Owner, *, spec: str = SPEC, attempt: int = 0, timing: Timing = NEVER_WAITING
) -> Ownership:
    return Ownership.acquire(store, owner, spec, attempt=attempt, timing=timing)


def test_an_output_that_nobody_had_is_taken_as_epoch_one(store: Store) -> None:
    ownership = acquire(store, owner_here(), attempt=2)
    assert ownership.epoch == 1
    ownership.check()
    claim = read_claim(store, 1)
    assert (claim.spec_digest, claim.attempt, claim.owner.process.pid) == (SPEC, 2, os.getpid())


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 1), (3, 7)])
def test_the_same_owner_takes_over_at_once_with_the_same_or_a_newer_attempt(
    store: Store, first: int, second: int
) -> None:
    with acquire(store, owner_elsewhere(), attempt=first) as old:
        new = acquire(store, owner_elsewhere(), attempt=second)
        assert (old.epoch, new.epoch) == (1, 2)
        new.check()
        with pytest.raises(Fenced) as fenced:
            old.check()
    assert fenced.value.exit_code == 75
    assert "epoch 2" in str(fenced.value)


def test_an_older_attempt_of_the_same_owner_stops_with_exit_code_75(store: Store) -> None:
    newer = acquire(store, owner_elsewhere(), attempt=2)
    with pytest.raises(Fenced, match="a newer attempt of the same job has this output"):
        acquire(store, owner_elsewhere(), attempt=1)
    newer.check()


@pytest.mark.parametrize("theirs", [owner_here, owner_ended, owner_elsewhere])
def test_another_spec_is_refused_once_there_is_a_selection_whoever_had_the_output(
    store: Store, theirs: Callable[[], Owner]
) -> None:
    with acquire(store, theirs(), spec="other") as other:
        commit(store, SELECTION, {"a": b"1"}, {}, fence=other)
    with pytest.raises(OwnershipError, match=r"another spec.*other.*output\.uri") as refusal:
        acquire(store, owner_here())
    assert refusal.value.exit_code == 69
    assert newest_epoch(store) == 1


@pytest.mark.parametrize("theirs", [owner_here, owner_ended, owner_elsewhere])
def test_without_a_selection_another_spec_takes_over_what_was_let_go(store: Store, theirs: Callable[[], Owner]) -> None:
    with acquire(store, theirs(), spec="other") as other:
        commit(store, "embeddings/00000", {"a": b"1"}, {}, fence=other)
    assert acquire(store, owner_here()).epoch == 2
    assert read_claim(store, 2).spec_digest == SPEC


def test_without_a_selection_another_spec_is_still_kept_from_a_living_owner(store: Store) -> None:
    theirs = acquire(store, owner_here(), spec="other")
    with pytest.raises(OwnershipError, match="is working on this output"):
        acquire(store, owner_here())
    theirs.check()


def test_a_living_owner_on_this_machine_is_named_at_once(store: Store) -> None:
    theirs = acquire(store, owner_here())
    with pytest.raises(OwnershipError, match=rf"afray run.*pid {os.getpid()}.*Wait for it or stop it"):
        acquire(store, owner_here())
    theirs.check()


def test_an_owner_that_ended_on_this_machine_is_succeeded_at_once(store: Store) -> None:
    acquire(store, owner_ended())
    assert acquire(store, owner_here()).epoch == 2


def test_a_killed_run_is_succeeded_at_once(store: Store, s3_server: S3Server) -> None:
    run = OwningProcess(store, SPEC, s3_server.environment)
    run.go_on()
    assert run.hear() == "1"
    with pytest.raises(OwnershipError, match=f"pid {run.process.pid}"):
        acquire(store, owner_here())
    run.kill()
    assert acquire(store, owner_here()).epoch == 2


def test_an_owner_elsewhere_whose_beat_moves_is_named(store: Store) -> None:
    with (
        acquire(store, owner_elsewhere(), timing=QUICK) as theirs,
        pytest.raises(OwnershipError, match=r"SelectionJob uid-elsewhere \(host node-7"),
    ):
        acquire(store, owner_here(), timing=QUICK)
    theirs.check()


@pytest.mark.parametrize("has_beaten", [True, False])
def test_an_owner_elsewhere_whose_beat_stands_still_is_succeeded_after_the_watch(
    store: Store, has_beaten: bool
) -> None:
    theirs = acquire(store, owner_elsewhere(), timing=NEVER_WAITING)
    if has_beaten:
        theirs.start_beating()
        await_beat(store, 1)
    start = time.monotonic()
    assert acquire(store, owner_here(), timing=QUICK).epoch == 2
    assert QUICK.watch_seconds <= time.monotonic() - start < QUICK.watch_seconds + 5
    with pytest.raises(Fenced):
        theirs.check()
    theirs.close()


def await_beat(store: Store, epoch: int) -> None:
    deadline = time.monotonic() + 10
    while read_beat(store, beat_key(epoch)) is None and time.monotonic() < deadline:
        time.sleep(0.01)


def test_an_owner_that_lets_go_while_it_is_watched_is_succeeded(store: Store) -> None:
    theirs = acquire(store, owner_elsewhere(), timing=NEVER_WAITING)
    patient = Timing(beat_seconds=1, watch_seconds=600, poll_seconds=0.05)
    theirs.start_beating()
    await_beat(store, 1)
    with ThreadPool(1) as thread:
        mine = thread.apply_async(lambda: acquire(store, owner_here(), timing=patient))
        time.sleep(0.2)
        theirs.close()
        assert mine.get(timeout=30).epoch == 2


@pytest.mark.parametrize("theirs", [owner_here, owner_elsewhere])
def test_an_output_that_was_let_go_is_free_for_any_run_of_the_same_spec(
    store: Store, theirs: Callable[[], Owner]
) -> None:
    with acquire(store, theirs()):
        pass
    assert acquire(store, owner_here()).epoch == 2


def test_a_run_that_fails_lets_go_as_well(store: Store) -> None:
    with pytest.raises(RuntimeError), acquire(store, owner_elsewhere()):
        raise RuntimeError
    assert acquire(store, owner_here()).epoch == 2


def test_epochs_are_consecutive_numbers_and_sort_as_such(store: Store) -> None:
    for epoch in range(1, 13):
        assert acquire(store, owner_elsewhere()).epoch == epoch
    assert newest_epoch(store) == 12


def test_of_four_processes_that_start_at_once_exactly_one_owns_the_output(store: Store, s3_server: S3Server) -> None:
    racers = [OwningProcess(store, SPEC, s3_server.environment) for _ in range(4)]
    for racer in racers:
        racer.go_on()
    assert sorted(racer.hear() for racer in racers) == ["1", "refused", "refused", "refused"]
    for racer in racers:
        racer.kill()
    assert newest_epoch(store) == 1


def test_of_sixteen_threads_that_succeed_a_dead_owner_exactly_one_goes_on(store: Store) -> None:
    acquire(store, owner_ended())

    def attempt(_: int) -> int:
        try:
            return acquire(store, owner_here()).epoch
        except OwnershipError:
            return 0

    with ThreadPool(16) as threads:
        outcomes = threads.map(attempt, range(16))
    assert sorted(outcomes) == [0] * 15 + [2]


def test_beats_go_on_until_the_end_and_say_so(file_store: Store) -> None:
    with acquire(file_store, owner_here(), timing=QUICK):
        await_beat(file_store, 1)
        first = read_beat(file_store, beat_key(1))
        time.sleep(5 * QUICK.beat_seconds)
        later = read_beat(file_store, beat_key(1))
        assert first is not None
        assert later is not None
        assert later.count > first.count
        assert not later.released
    last = read_beat(file_store, beat_key(1))
    assert last is not None
    assert last.released


def test_a_beat_that_cannot_be_written_is_reported_and_stops_nothing(
    file_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    # A folder in the place of the beat: no write can succeed.
    file_store.create(f"{beat_key(1)}/in-the-way", b"")
    with caplog.at_level(logging.WARNING), acquire(file_store, owner_here(), timing=QUICK) as ownership:
        time.sleep(3 * QUICK.beat_seconds)
        ownership.check()
    warnings = [record.message for record in caplog.records if "the work goes on" in record.message]
    assert len(warnings) >= 2
    assert beat_key(1) in warnings[0]


def test_a_worker_in_another_process_is_fenced_as_its_driver_is(store: Store) -> None:
    ownership = acquire(store, owner_elsewhere())
    fence = pickle.loads(pickle.dumps(ownership.fence))
    commit(store, "part-0", {"a": b"1"}, {}, fence=fence)
    acquire(store, owner_elsewhere())
    with pytest.raises(Fenced):
        commit(store, "part-1", {"a": b"1"}, {}, fence=fence)
    result = committed(store, "part-0")
    assert result is not None
    assert result.epoch == 1
    assert committed(store, "part-1") is None


def test_a_damaged_record_of_an_owner_is_named_with_the_remedy(store: Store) -> None:
    store.create("owner/1.json", b"{")
    with pytest.raises(IntegrityError) as error:
        acquire(store, owner_here())
    assert store.address("owner/1.json") in str(error.value)
    assert "delete the object" in str(error.value)


def test_a_damaged_beat_is_no_sign_of_life(store: Store) -> None:
    acquire(store, owner_elsewhere())
    store.overwrite(beat_key(1), b"{")
    assert acquire(store, owner_here(), timing=QUICK).epoch == 2


def test_other_objects_beside_the_claims_do_not_count(store: Store) -> None:
    for key in ("owner/01.json", "owner/2.json.bak", "owner/x.json", "owner/3/4.json", "owner/0.json"):
        store.create(key, b"")
    assert newest_epoch(store) == 0


def test_a_store_with_conditional_create_passes_the_probe_and_is_left_as_it_was(store: Store) -> None:
    probe_conditional_create(store)
    assert list(store.list()) == []


def test_a_store_that_ignores_conditions_is_refused_before_anything_else_is_written() -> None:
    with answering(Answer(200, headers={"ETag": '"1"'})) as endpoint:
        store = Store.open("s3://plant/out", environment=environment(endpoint))
        with pytest.raises(StoreRefused, match=r"If-None-Match.*output\.uri") as refusal:
            probe_conditional_create(store)
    assert refusal.value.exit_code == 66
