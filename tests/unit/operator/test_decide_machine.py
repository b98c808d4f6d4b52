"""Any order of what people, KubeRay, Kueue, drivers and clocks can do, with an operator that is stale and that dies."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from afray_operator.decide import decide
from afray_operator.decide.fitting import LARGEST
from helpers import kube_objects
from helpers.kube_objects import NAME, Raw
from helpers.operator_world import KINDS, PROGRESS, Crash, World
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from afray import __version__

EXIT_CODES = st.sampled_from([1, 2, 64, 69, 74, 75, 137])
STAGES = ["previous", "select", "labels", "finetune"]
ROUND = {"certificate": {"uri": "s3://plant/out-1/certificate.json"}}
LABELS = {"uri": "s3://plant/labels.csv", "format": "csv"}
FINISHED = ("Complete", "Failed")
JUNK = {
    "empty": "",
    "broken": "{",
    "list": "[]",
    "fields missing": '{"version": 1}',
    "another version": '{"version": 7, "attempt": 1}',
    "large": "x" * 20_000,
    "deep": "[" * 5_000,
    "surrogate": '{"a": "\\ud800"}',
}
SPOILT: dict[str, Raw] = {
    "too large": {"metadata": {"annotations": {"a": "x" * 9000}}},
    "too deep": json.loads('{"spec":' * 100 + "1" + "}" * 100),
    "of another shape": {"containers": []},
}
WAITS = ("AwaitingLabels", "Queued", "Starting", "Suspending")
"""Phases in which nothing may be due: somebody else has the next move, and a condition says who."""


class OperatorMachine(RuleBasedStateMachine):
    world: World

    @initialize(
        queue=st.booleans(),
        kind=st.sampled_from(["select", "pool labels", "labels", "awaits labels", "round", "round, finetunes"]),
        template=st.booleans(),
        backoff_limit=st.integers(0, 3),
        active=st.sampled_from([None, 3600]),
        ahead=st.integers(0, 2),
    )
    def begin(self, queue: bool, kind: str, template: bool, backoff_limit: int, active: int | None, ahead: int) -> None:
        changes: dict[str, object] = {"spec.policy": {"backoffLimit": backoff_limit}}
        if active is not None:
            changes["spec.policy.activeDeadlineSeconds"] = active
        if kind not in ("select", "round"):
            changes["spec.finetune"] = {"epochs": 1}
        if kind == "pool labels":
            changes["spec.pool.labels"] = LABELS
        if kind == "labels":
            changes["spec.labels"] = LABELS
        if kind == "round":
            changes["spec.previous"] = ROUND
        if kind == "round, finetunes":
            changes["spec.previous"] = {**ROUND, "labels": LABELS}
        if template:
            changes["spec.cluster.head.template"] = {"spec": {"nodeSelector": {"a": "b"}}}
        self.world = World.of(changes, queue=queue)
        self.is_awake = self.collects = True
        self.seen_status: Raw = {}
        self.failed: set[tuple[str, int]] = set()
        self.react()
        for _ in range(ahead):
            self.attempt_goes_on(how_far=3, done=1)
            self.attempt_ends_well(how="result", version=__version__)

    # the operator

    def react(self) -> None:
        """The operator does what it has to, and KubeRay cleans up, if they are not held up."""
        if self.collects:
            self.world.collect_garbage()
        if self.is_awake and self.world.job is not None:
            self.world.settle()

    @rule(what=st.sampled_from(["wakes", "sleeps", "steps"]))
    def operator(self, what: str) -> None:
        self.is_awake = what == "wakes"
        self.react()
        if what == "steps" and self.world.job is not None:
            self.world.step()

    @rule(writes=st.integers(0, 8), suspends=st.booleans())
    def operator_dies_between_two_writes(self, writes: int, suspends: bool) -> None:
        """Whatever it has to do now; or as it follows a suspension, of which there is always something to do."""
        if suspends:
            self.edit(suspend=not (self.world.job or {}).get("spec", {}).get("suspend"))
        self.world.dies_after = writes
        with contextlib.suppress(Crash):
            self.is_awake = True
            self.react()
        self.world.restart()

    @rule(told=st.none() | st.lists(st.sampled_from([*KINDS, "job"]), min_size=1, max_size=3))
    def watches(self, told: list[str] | None) -> None:
        """Tell everything at once from now on, or only some kinds once."""
        self.world.is_prompt = told is None
        if told:
            self.world.tell(*told)
        self.react()

    @rule(seconds=st.sampled_from([1, 12, 40, 400, 1000, 4000, -30, -700]), collects=st.booleans())
    def time_passes(self, seconds: int, collects: bool) -> None:
        self.world.passes(seconds)
        self.collects = collects
        self.react()

    # Kueue and KubeRay

    def current(self) -> str | None:
        """The RayJob that was created last, if it is there and unfinished."""
        name = self.world.created[-1] if self.world.created else ""
        raw = self.world.objects["ray_jobs"].get(name)
        is_open = raw is not None and raw.get("status", {}).get("jobDeploymentStatus") not in FINISHED
        return name if is_open else None

    def running(self) -> str | None:
        name = self.current()
        return name if name is not None and not self.world.ray_job(name)["spec"]["suspend"] else None

    @rule(what=st.sampled_from(["queues", "admits", "admits", "evicts"]))
    def kueue(self, what: str) -> None:
        if self.current() is not None:
            getattr(self.world, what)()
        self.react()

    @rule(how_far=st.integers(1, 3), done=st.integers(0, 100))
    def attempt_goes_on(self, how_far: int, done: int) -> None:
        """Admitted, started, running, speaking: each step seen by the operator, if it looks."""
        for step in range(how_far + 1):
            name = self.current()
            if name is None:
                return
            match step:
                case 0:
                    self.world.admits()
                case 1:
                    self.world.starts(name)
                case 2:
                    self.world.runs(name)
                case _:
                    self.world.speaks(done=done)
            self.react()

    @rule(
        how=st.sampled_from(["result", "refused", "no result", "stopped", "gone"]),
        version=st.sampled_from([__version__, "0.0.9"]),
    )
    def attempt_ends_well(self, how: str, version: str) -> None:
        if (name := self.running()) is None:
            return
        if how != "no result":
            self.speak_outcome(name, accepted=how != "refused", afrayVersion=version)
            self.react()
        if self.running() == name:
            if how == "gone":
                self.world.delete_ray_job(name)
            else:
                self.world.finishes(name, jobStatus="STOPPED" if how == "stopped" else "SUCCEEDED")
        self.react()

    def speak_outcome(self, name: str, *, accepted: bool, **more: Any) -> None:
        stage, _ = self.world.turn(self.world.ray_job(name))
        checked: dict[str, object] = {
            "labels": {**kube_objects.CHECKED, "accepted": accepted, "message": "of another round"}
        }
        outcomes: dict[str, dict[str, object]] = {
            "previous": checked,
            "select": {"result": kube_objects.RESULT},
            "labels": checked,
            "finetune": {"finetune": kube_objects.FINETUNED},
        }
        self.world.speaks(stage="report", done=1, **outcomes[stage], **more)

    @rule(
        code=EXIT_CODES,
        speaks=st.booleans(),
        reason=st.sampled_from(["AppFailed", "SubmissionFailed", "ValidationFailed"]),
    )
    def attempt_fails(self, code: int, speaks: bool, reason: str) -> None:
        if (name := self.running()) is None:
            return
        if speaks:
            self.world.speaks(failure=kube_objects.failure(code))
            self.react()
        if self.running() == name and reason == "ValidationFailed":
            self.world.ray_status(name, jobDeploymentStatus=reason, message="name too long")
        elif self.running() == name:
            self.world.fails(f"Job entrypoint command failed with exit code {code}, last:\n exit code 64", reason, name)
        self.react()

    @rule(attempt=st.integers(1, 4), task=st.sampled_from(STAGES), epoch=st.integers(0, 5))
    def driver_of_another_attempt_speaks(self, attempt: int, task: str, epoch: int) -> None:
        current = self.world.status.get("attempt", {})
        if (current.get("stage"), current.get("number")) != (task, attempt):
            outcome = {
                "result": kube_objects.RESULT,
                "labels": kube_objects.CHECKED,
                "finetune": kube_objects.FINETUNED,
            }
            said = kube_objects.payload(self.world.now, attempt=attempt, task=task, epoch=epoch, **outcome)
            self.world.writes_progress(json.dumps(said))
        self.react()

    # people

    @rule(what=st.sampled_from(["suspend", "resume", "suspend and resume"]))
    def user_suspends(self, what: str) -> None:
        if what.startswith("suspend"):
            self.edit(suspend=True)
            self.react()
        if what.endswith("resume"):
            self.edit(suspend=False)
            self.react()

    @rule(uri=st.sampled_from([None, "s3://plant/one.csv", "s3://plant/two.csv"]), of_round_before=st.booleans())
    def user_edits_labels(self, uri: str | None, of_round_before: bool) -> None:
        labels = None if uri is None else {"uri": uri, "format": "csv"}
        if not of_round_before:
            self.edit(labels=labels)
        elif self.world.job is not None and "previous" in self.world.job["spec"]:
            self.edit(previous=ROUND if labels is None else {**ROUND, "labels": labels})
        self.react()

    @rule(queue=st.sampled_from([None, "", "team-a", "team-b"]), selector=st.sampled_from(["a", "b"]))
    def user_changes_queue_or_template(self, queue: str | None, selector: str) -> None:
        if self.world.job is None:
            return
        if queue is not None:
            self.world.label(queue=queue)
        else:
            self.edit_template({"spec": {"nodeSelector": {"x": selector}}})
        self.react()

    @rule(how=st.sampled_from(["too large", "too deep", "of another shape", "labels", "lost templates", "mended"]))
    def user_spoils_the_spec(self, how: str) -> None:
        """Edits it so that it does not load any more, or again."""
        match how:
            case "labels":
                self.edit(labels={"uri": "no location", "format": "csv"})
            case "lost templates":
                self.world.objects["config_maps"].pop(f"{NAME}-templates", None)
            case "mended":
                self.mend_spec()
            case _:
                self.edit_template(SPOILT[how])
        self.react()

    def mend_spec(self) -> None:
        if self.world.job is not None and self.world.job["spec"].get("labels", {}).get("uri") == "no location":
            self.edit(labels=LABELS)
        self.edit_template({"spec": {"nodeSelector": {"a": "b"}}})

    def edit_template(self, template: Raw) -> None:
        if self.world.job is not None:
            cluster = self.world.job["spec"]["cluster"]
            self.edit(cluster={**cluster, "head": {**cluster["head"], "template": template}})

    def edit(self, **spec: object) -> None:
        if self.world.job is not None:
            self.world.edit(**spec)

    @rule(
        what=st.sampled_from(
            [
                *sorted(JUNK),
                "epoch",
                "RayJob",
                "finished RayJob",
                "progress",
                "pod",
                "node",
                "name",
                "quota",
                "no quota",
            ]
        )
    )
    def vandal(self, what: str) -> None:
        """Deletes, writes and refuses what nobody should."""
        match what:
            case "RayJob" | "finished RayJob":
                self.delete_ray_job(finished=what != "RayJob")
            case "progress":
                self.world.objects["config_maps"].pop(PROGRESS, None)
            case "epoch":
                if self.current() is not None:
                    self.world.speaks(epoch=2**53)
            case "pod" | "node":
                self.lose_pod(is_lost_node=what == "node")
            case "name":
                self.take_next_name()
            case "quota" | "no quota":
                self.world.refuses = {"RayJob": "exceeded quota: rayjobs"} if what == "quota" else {}
            case _:
                self.world.writes_progress(JUNK[what])
        self.react()

    def delete_ray_job(self, *, finished: bool) -> None:
        for name, raw in list(self.world.objects["ray_jobs"].items()):
            if (raw.get("status", {}).get("jobDeploymentStatus") in FINISHED) == finished:
                self.world.delete_ray_job(name)

    def lose_pod(self, *, is_lost_node: bool) -> None:
        for name, raw in list(self.world.objects["pods"].items())[:1]:
            if is_lost_node:
                raw["metadata"]["deletionTimestamp"] = kube_objects.moment(self.world.now + kube_objects.seconds(30))
            else:
                del self.world.objects["pods"][name]

    def take_next_name(self) -> None:
        """Somebody creates a RayJob of the name that the next attempt would have."""
        attempt = self.world.status.get("attempt") or {"stage": "select", "number": 0}
        name = f"{NAME}-{attempt['stage'][0]}{attempt['number'] + 1}"
        if name not in self.world.objects["ray_jobs"]:
            foreign = {"metadata": {"name": name, "uid": "foreign", "labels": {}}, "spec": {}}
            self.world.objects["ray_jobs"][name] = foreign

    # what must hold

    @invariant()
    def it_holds(self) -> None:
        if not hasattr(self, "world") or self.world.job is None:
            return
        old, new = self.seen_status, self.world.status
        if old != new:
            self.seen_status = json.loads(json.dumps(new))
            self.check_change(old, new)
        seen = self.world.look()
        assert decide(seen, self.world.now) == decide(seen, self.world.now)

    def check_change(self, old: Raw, new: Raw) -> None:
        assert len(json.dumps(new, ensure_ascii=False).encode()) <= LARGEST
        changed = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
        assert not is_over(old) or changed == {"usage"}, "what is final changed, and not only for pods that are leaving"
        assert not (is_true(new, "Complete") and is_true(new, "Failed"))
        before, after = old.get("attempt"), new.get("attempt")
        if before and after:
            turns = [(STAGES.index(attempt["stage"]), attempt["number"]) for attempt in (before, after)]
            assert turns == sorted(turns), "attempts go back"
        failure = (after or {}).get("lastFailure")
        if failure and failure != (before or {}).get("lastFailure"):
            turn = (failure["stage"], failure["number"])
            assert turn not in self.failed, "an attempt is counted twice"
            self.failed.add(turn)

    def teardown(self) -> None:
        if hasattr(self, "world") and self.world.job is not None:
            self.it_comes_to_an_end()

    def it_comes_to_an_end(self) -> None:
        """Once nobody disturbs it any more, the job ends, and at every rest it says what it waits for."""
        world = self.world
        world.is_prompt, world.refuses = True, {}
        for name, raw in list(world.objects["ray_jobs"].items()):
            if raw["metadata"]["uid"] == "foreign":
                del world.objects["ray_jobs"][name]
        world.restart()
        self.mend_spec()
        world.edit(suspend=False)
        for _ in range(60):
            decision = world.settle()
            self.it_holds()
            if is_over(world.status):
                return
            assert world.status["reason"]
            assert decision.wake_at is not None or world.status["phase"] in WAITS, world.status
            self.everyone_does_their_part()
        raise AssertionError(f"no end: {world.status}")

    def everyone_does_their_part(self) -> None:
        world = self.world
        world.passes(30)
        world.collect_garbage()
        for pod_name, raw in list(world.objects["pods"].items()):
            if "deletionTimestamp" in raw["metadata"]:
                del world.objects["pods"][pod_name]
        if world.status["phase"] == "AwaitingLabels":
            labels = {"uri": f"s3://plant/{world.uids}.csv", "format": "csv"}
            is_before = world.status["stage"] == "previous"
            world.edit(**({"previous": {**ROUND, "labels": labels}} if is_before else {"labels": labels}))
        if (name := self.current()) is None or "deletionTimestamp" in world.ray_job(name)["metadata"]:
            return
        world.admits()
        world.runs(name)
        world.settle()
        if self.current() == name:
            self.speak_outcome(name, accepted=True)
            world.finishes(name)


def is_true(status: Raw, kind: str) -> bool:
    return any(found["type"] == kind and found["status"] == "True" for found in status.get("conditions", ()))


def is_over(status: Raw) -> bool:
    return is_true(status, "Complete") or is_true(status, "Failed")


TestOperator = OperatorMachine.TestCase
TestOperator.settings = settings(
    max_examples=50, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
