"""What a status and its events say: short enough whatever others say, the same for the same, once for each change."""

from __future__ import annotations

import json

import pytest
from afray_operator.decide import EventReason
from afray_operator.decide.fitting import LARGEST, fit, status_size
from afray_operator.decide.messages import clip
from afray_operator.decide.patching import status_patch
from afray_operator.decide.progress import summarize
from helpers.kube_objects import RESULT, START, failure, moment, pod, seconds
from helpers.operator_world import World, merge_patch
from helpers.whole_status import longest_status
from hypothesis import given, settings
from hypothesis import strategies as st

from afray.api.conditions import ConditionStatus, ConditionType, Reason
from afray.api.stages import Stage
from afray.api.status import AttemptFailure, AttemptStatus, Condition, JobStatus, ProgressStatus, ResultStatus

WIDE = "\N{CJK UNIFIED IDEOGRAPH-4E00}"
LONG_URI = f"s3://plant/{WIDE * 2000}"


def largest_status() -> JobStatus:
    """Every field as large as it may be."""
    conditions = tuple(
        Condition(
            type=kind,
            status=ConditionStatus.unknown,
            reason=Reason.start_deadline_exceeded,
            message=WIDE * 400,
            observed_generation=2**53,
            last_transition_time=START,
        )
        for kind in ConditionType
    )
    last = AttemptFailure(
        number=999_999,
        stage=Stage.finetune,
        reason=Reason.configuration_missing,
        message=WIDE * 400,
        log_uri=LONG_URI,
        time=START,
    )
    word = WIDE * 64
    progress = ProgressStatus(
        stage=word, step=word, unit=word, summary=word, done=2**53, total=2**53, rate=1e300, eta_seconds=2**53,
        epoch=2**53, attempt=2**53, heartbeat_time=START, advanced_at=START, recorded_at=START,
    )  # fmt: skip
    attempt = AttemptStatus(
        stage=Stage.finetune, number=999_999, failures=20, ray_job_name="x" * 47, ray_job_uid="x" * 36,
        retry_after=START, admitted_time=START, started_time=START, active_since=START, active_seconds=2**53,
        last_failure=last,
    )  # fmt: skip
    result = ResultStatus(uri=LONG_URI, digest="a" * 64, selected=2**53, pool_size=2**53)
    return JobStatus(conditions=conditions, attempt=attempt, progress=progress, result=result, spec_hash="b" * 64)


def test_the_largest_status_is_cut_to_its_limit_and_keeps_its_facts() -> None:
    status = largest_status()
    assert status_size(status) > 2 * LARGEST
    cut = fit(status)
    assert status_size(cut) <= LARGEST
    assert [condition.reason for condition in cut.conditions] == [condition.reason for condition in status.conditions]
    assert cut.result is not None
    assert cut.result.digest == "a" * 64
    assert fit(cut) == cut
    assert JobStatus.read(cut.to_json()) == cut


def test_a_status_that_fits_is_left_alone() -> None:
    status = JobStatus(conditions=largest_status().conditions[:1])
    assert fit(status) is status


def test_a_job_whose_parts_all_talk_too_much_has_a_small_status() -> None:
    world = World.running(queue=True)
    world.fails("x" * 20_000)
    world.settle()
    world.passes(60)
    world.settle()
    world.queues(message=WIDE * 5000)
    world.settle()
    world.admits()
    world.starts()
    world.objects["pods"]["p"] = pod("p", attempt=2, phase="Pending", waiting=("ErrImagePull", WIDE * 5000))
    world.speaks(failure=failure(1, WIDE * 64, WIDE * 200, LONG_URI))
    world.settle()
    assert len(json.dumps(world.status, ensure_ascii=False).encode()) <= LARGEST
    assert world.stands("ClusterReady") == "False/ImagePullFailed"


@settings(deadline=None)
@given(st.text(max_size=700), st.integers(1, 400), st.integers(8, 600))
def test_a_clipped_text_is_short_and_begins_like_the_text(text: str, characters: int, size: int) -> None:
    cut = clip(text, characters=characters, size=size)
    assert len(cut) <= characters
    assert len(cut.encode()) <= size
    assert cut == text or cut.endswith("…")


@pytest.mark.parametrize(
    ("stage", "done", "total", "summary"),
    [
        ("embed", 412, 820, "embed 412/820"),
        ("index", 412, None, "index 412"),
        ("index", 0, None, "index"),
        ("s" * 64, 2**53, 2**53, "s" * 30 + f" {2**53}/{2**53}"),
    ],
)
def test_progress_is_summed_up_in_a_column(stage: str, done: int, total: int | None, summary: str) -> None:
    assert summarize(stage, done, total) == summary
    assert len(summary) <= 64


def test_progress_is_written_at_most_every_thirty_seconds_but_a_new_stage_within_two() -> None:
    world = World.running()
    patches = world.patches
    for second in range(1, 30):
        world.passes(1)
        world.speaks(done=10 + second)
        waiting = world.settle()
    assert world.patches == patches
    assert waiting.wake_at == world.now + seconds(1)
    world.passes(1)
    world.settle()
    assert world.patches == patches + 1
    assert world.status["progress"]["done"] == 39
    world.passes(1)
    world.speaks(stage="core", done=0)
    waiting = world.settle()
    assert waiting.wake_at == world.now + seconds(1)
    world.passes(1)
    world.settle()
    assert world.status["progress"]["summary"] == "core 0/100"


def test_whoever_names_a_new_stage_all_the_time_costs_a_write_every_two_seconds() -> None:
    world = World.running()
    patches = world.patches
    for number in range(200):
        world.passes(0.1)
        world.speaks(stage=f"stage {number}", step=f"step {number}", epoch=number + 2)
        world.settle()
    assert world.patches - patches == 10


@pytest.mark.parametrize("hours", [-24, 24])
def test_a_driver_with_a_wrong_clock_is_not_written_down_more_often(hours: int) -> None:
    world = World.running()
    patches = world.patches
    for _ in range(60):
        world.passes(1)
        world.speaks(done=10, heartbeat=moment(world.now + seconds(3600 * hours)))
        world.settle()
    assert world.patches == patches + 2


def test_done_never_goes_back_within_a_stage() -> None:
    world = World.running()
    for done in (50, 20):
        world.passes(60)
        world.speaks(done=done)
        world.settle()
    assert world.status["progress"]["done"] == 50


def test_a_heartbeat_from_the_future_is_shown_as_now() -> None:
    world = World.running()
    world.passes(60)
    world.speaks(done=20, heartbeat="9999-12-31T23:59:59Z")
    world.settle()
    assert world.status["progress"]["heartbeatTime"] == moment(world.now)


@pytest.mark.parametrize(
    "text", ["{", "x" * 20_000, '{"version": 1, "attempt": -1}', "[" * 100_000, '{"version": true}']
)
def test_progress_that_nobody_can_read_is_said_and_harms_nobody(text: str) -> None:
    world = World.running()
    before = world.status["progress"]
    world.writes_progress(text)
    world.settle()
    assert world.stands("Progressing") == "Unknown/ProgressUnreadable"
    assert world.told[-1] == "ProgressUnreadable"
    assert world.status["progress"] == before
    world.speaks(done=50)
    world.passes(60)
    world.settle()
    assert world.stands("Progressing") == "True/Heartbeat"


def test_a_forged_epoch_is_said_to_be_one_and_the_driver_is_believed_again_once_its_config_map_is_deleted() -> None:
    world = World.running()
    world.passes(2)
    world.speaks(epoch=2**53)
    world.settle()
    world.passes(30)
    world.speaks(epoch=1, done=50)
    world.settle()
    status, reason, message = world.condition("Progressing")
    assert (status, reason) == ("Unknown", "ProgressUnreadable")
    assert f"epoch 1 is older than {2**53}, seen before" in message
    assert "delete ConfigMap weld-pilot-progress, and it is made anew" in message
    assert world.told[-1] == "ProgressUnreadable"
    del world.objects["config_maps"]["weld-pilot-progress"]
    world.settle()
    assert world.attempt["failures"] == 0
    world.passes(30)
    world.speaks(epoch=1, done=60)
    world.settle()
    assert world.stands("Progressing") == "True/Heartbeat"
    assert world.status["progress"]["done"] == 60
    world.succeeds(epoch=1, result=RESULT)
    assert world.stands("Complete") == "True/Succeeded"


def test_a_payload_of_another_version_is_a_permanent_error_with_the_next_step() -> None:
    world = World.running()
    world.writes_progress('{"version": 2, "attempt": 1}')
    world.settle()
    status, reason, message = world.condition("Failed")
    assert (status, reason) == ("True", "PermanentError")
    assert "spec.runtime" in message


def test_a_driver_of_another_afray_is_told_once_and_goes_on() -> None:
    world = World.running()
    for done in (20, 30, 40):
        world.passes(60)
        world.speaks(done=done, afrayVersion="0.0.9")
        world.settle()
    assert world.told.count("VersionSkew") == 1
    assert "0.0.9" in world.condition("Progressing")[2]
    assert world.status["phase"] == "Running"


def test_ready_workers_of_a_large_group_are_told_in_quarters() -> None:
    workers = {"name": "gpu", "replicas": 64, "resources": {"cpu": "8", "memory": "32Gi"}}
    world = World.of({"spec.cluster.workers": [workers]})
    world.settle()
    world.starts()
    patches = world.patches
    cluster = world.objects["ray_clusters"][world.ray_job()["status"]["rayClusterName"]]
    cluster["status"]["conditions"][0]["status"] = "True"
    for ready in range(64):
        cluster["status"]["readyWorkerReplicas"] = ready
        world.settle()
    assert world.patches - patches <= 5
    assert world.condition("ClusterReady")[2] == "At least 48 of 64 workers are ready."


def test_every_event_is_told_once_for_each_change_with_a_key_of_its_own() -> None:
    world = World.running(queue=True)
    world.evicts()
    world.settle()
    world.goes_on()
    world.fails()
    world.settle()
    world.passes(60)
    world.settle()
    world.goes_on()
    world.succeeds(result=RESULT)
    told = [(event.reason, event.key) for event in world.events]
    assert len(told) == len(set(told))
    assert world.told.count("Admitted") == 3
    assert world.told.count("AttemptCreated") == 2
    assert all(event.note for event in world.events)


def test_warnings_are_what_somebody_should_look_at() -> None:
    world = World.running()
    world.fails()
    world.settle()
    warned = {event.reason for event in world.events if event.is_warning}
    assert warned == {EventReason.attempt_failed}


@settings(deadline=None)
@given(st.data())
def test_a_patch_makes_one_status_of_the_other(data: st.DataObject) -> None:
    full = largest_status()
    names = st.sets(st.sampled_from(["attempt", "progress", "result", "conditions", "spec_hash"]))
    old, new = (JobStatus(**{name: getattr(full, name) for name in data.draw(names)}) for _ in range(2))
    assert merge_patch(old.to_json(), status_patch(old, new)) == new.to_json()
    assert status_patch(new, new) == {}


def test_a_status_with_every_field_at_its_longest_keeps_all_but_words_below_eight_kilobytes() -> None:
    longest = longest_status()
    stored = fit(longest)
    assert status_size(stored) <= LARGEST
    assert (stored.usage, stored.result, stored.finetune) == (longest.usage, longest.result, longest.finetune)
    assert [(one.type, one.reason) for one in stored.conditions] == [
        (one.type, one.reason) for one in longest.conditions
    ]
