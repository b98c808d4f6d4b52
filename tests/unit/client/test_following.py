"""A job is followed through lost connections, expired history and silence, by a script of what a server answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from helpers.job_records import job_record

from afray.client.faults import HistoryExpired, JobMissing, ServerUnreachable
from afray.client.following import PATIENCE_SECONDS, Gone, Lost, Quiet, Seen, Sighting, follow
from afray.client.jobs import Change
from afray.client.records import JobRecord

Answer = JobRecord | Exception | list[Change | Exception]


def version(number: int, *, uid: str = "uid-1") -> JobRecord:
    return job_record("Running", metadata={"resourceVersion": str(number), "uid": uid})


def change(number: int, *, deleted: bool = False) -> Change:
    return Change(version=str(number), record=version(number), deleted=deleted)


@dataclass
class Script:
    """Answers in order: a record or an error to `get`, a list to `watch`. Time passes as it is slept and watched."""

    answers: list[Answer]
    asked: list[str] = field(default_factory=list)
    now: float = 0.0

    def get(self, name: str) -> JobRecord:
        self.asked.append(f"get {name}")
        answer = self.answers.pop(0)
        assert not isinstance(answer, list)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def watch(self, name: str, version: str, seconds: int) -> Iterator[Change]:
        self.asked.append(f"watch from {version} for {seconds}")
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, list)
        for event in answer:
            if isinstance(event, Exception):
                raise event
            yield event
        self.now += seconds

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def sights(script: Script, *, uid: str = "", seconds: float | None = None) -> list[Sighting]:
    return list(follow(script, "welds", uid=uid, seconds=seconds, clock=script.clock, sleep=script.sleep))


def versions(found: list[Sighting]) -> list[str]:
    return [sighting.record.version for sighting in found if isinstance(sighting, Seen)]


def test_the_present_comes_first_then_every_change_until_the_job_is_gone() -> None:
    script = Script([version(1), [change(2), change(3)], [change(4, deleted=True)]])
    found = sights(script)
    assert versions(found) == ["1", "2", "3"]
    assert found[-2:] == [Quiet(), Gone()]
    assert script.asked == ["get welds", "watch from 1 for 10", "watch from 3 for 10"]


def test_a_bookmark_moves_the_version_on() -> None:
    script = Script([version(1), [Change(version="90")], [change(91, deleted=True)]])
    assert versions(sights(script)) == ["1"]
    assert script.asked[-1] == "watch from 90 for 10"


def test_after_expired_history_the_present_is_asked_for_anew() -> None:
    script = Script([version(1), HistoryExpired("410"), version(50), [change(51, deleted=True)]])
    assert versions(sights(script)) == ["1", "50"]
    assert script.asked == ["get welds", "watch from 1 for 10", "get welds", "watch from 50 for 10"]


def test_a_deletion_within_the_gap_is_seen() -> None:
    script = Script([version(1), HistoryExpired("410"), JobMissing("welds", "plant")])
    assert sights(script)[-1] == Gone()


def test_another_job_of_the_same_name_is_not_the_one_that_was_followed() -> None:
    script = Script([version(1), HistoryExpired("410"), version(60, uid="uid-2")])
    found = sights(script)
    assert versions(found) == ["1"]
    assert found[-1] == Gone()


def test_a_broken_connection_goes_on_where_it_broke() -> None:
    broken: list[Change | Exception] = [change(2), ServerUnreachable("reset by peer")]
    script = Script([version(1), broken, ServerUnreachable("refused"), [change(3)], [change(4, deleted=True)]])
    found = sights(script)
    assert versions(found) == ["1", "2", "3"]
    assert [sighting.reason for sighting in found if isinstance(sighting, Lost)] == ["reset by peer", "refused"]
    assert script.asked[1:4] == ["watch from 1 for 10", "watch from 2 for 10", "watch from 2 for 10"]


def test_whoever_answers_between_breaks_is_asked_again_soon() -> None:
    breaks: list[Answer] = [[change(number), ServerUnreachable("reset")] for number in range(2, 12)]
    script = Script([version(1), *breaks, [change(12, deleted=True)]])
    assert sights(script)[-1] == Gone()
    assert script.now == 10


def test_a_server_that_never_answered_is_an_error_at_once() -> None:
    script = Script([ServerUnreachable("refused")])
    with pytest.raises(ServerUnreachable):
        sights(script)
    assert script.now == 0


def test_a_server_that_stays_silent_is_given_up_and_one_that_answers_in_between_is_not() -> None:
    silence: list[Answer] = [ServerUnreachable("refused")] * 30
    lasting = Script([version(1), *silence, [], *silence, [change(2, deleted=True)]])
    assert sights(lasting)[-1] == Gone()
    assert lasting.now > PATIENCE_SECONDS
    with pytest.raises(ServerUnreachable):
        sights(Script([version(1), *silence, *silence]))


def test_no_job_of_the_name_is_an_error() -> None:
    with pytest.raises(JobMissing):
        sights(Script([JobMissing("welds", "plant")]))


def test_a_job_that_was_known_and_is_not_there_is_gone() -> None:
    assert sights(Script([JobMissing("welds", "plant")]), uid="uid-1") == [Gone()]
    assert sights(Script([version(9, uid="uid-2")]), uid="uid-1") == [Gone()]


def test_following_ends_when_the_time_is_over() -> None:
    script = Script([version(1), [], [], []])
    assert sights(script, seconds=24)[-1] == Quiet()
    assert script.asked[1:] == ["watch from 1 for 10", "watch from 1 for 10", "watch from 1 for 4"]
    refused: list[Answer] = [ServerUnreachable("refused")] * 30
    lost = Script([version(1), *refused])
    assert isinstance(sights(lost, seconds=5)[-1], Lost)
    assert lost.now == 5
