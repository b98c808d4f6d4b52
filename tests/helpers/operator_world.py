"""A tiny world for the operator's core: objects by name, what KubeRay, Kueue and drivers do to them, and an operator.

It performs decisions, may be stale, and may die between any two writes. The real ones are met in the cluster tests.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from afray_operator.decide import Decision, Event, decide
from afray_operator.decide.actions import (
    Action,
    AskDryRun,
    CreateRayJob,
    DeleteJob,
    DeleteRayJob,
    EnsureConfigMap,
    ReadRayJob,
)
from afray_operator.decide.patching import status_patch
from afray_operator.observed import DryRun, Hindrance, Memory, Observed, Offers, RawObjects, Refusal, observe
from helpers import kube_objects
from helpers.kube_objects import NAME, START, UID, Raw, moment, seconds

from afray.api.conditions import ConditionStatus, ConditionType, Reason
from afray.api.meanings import MEANINGS

SAID: set[tuple[ConditionType, ConditionStatus, Reason]] = set()
"""Every condition that any world of this process has said."""
KINDS = ("ray_jobs", "ray_clusters", "pods", "config_maps", "workloads")
PROGRESS = f"{NAME}-progress"


class Crash(Exception):
    """The operator dies."""


def merge_patch(target: Raw, patch: Mapping[str, Any]) -> Raw:
    """RFC 7386, as the API server applies it."""
    merged = dict(target)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            merged[name] = merge_patch(merged.get(name) or {}, value)
        else:
            merged[name] = value
    return merged


def gpus_of(group: Raw) -> int:
    """GPUs that a pod of a worker group requests."""
    containers = group["template"]["spec"]["containers"]
    return sum(int(one.get("resources", {}).get("limits", {}).get("nvidia.com/gpu", "0")) for one in containers)


@dataclass
class World:
    """Everything that is, and what the operator has seen of it."""

    job: Raw | None
    now: datetime = START
    offers: Offers = field(default_factory=lambda: Offers(ray_job=True, kueue=True))
    objects: dict[str, dict[str, Raw]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    cached: dict[str, dict[str, Raw]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    cached_job: Raw | None = None
    memory: Memory = field(default_factory=Memory)
    events: list[Event] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    """Names of RayJobs, in the order of their creation."""
    recorded: set[str] = field(default_factory=set)
    """Names of RayJobs that the status has named."""
    writes: int = 0
    patches: int = 0
    dies_after: int | None = None
    """Writes that the operator has left to live."""
    refuses_dry_run: str = ""
    refuses: dict[str, str] = field(default_factory=dict)
    """What the API server says to the creation of a kind."""
    hindrance: Hindrance = Hindrance.rules
    """Why it refuses."""
    is_prompt: bool = True
    """Whether watches tell everything at once."""
    explains: bool = True
    """Whether every condition must be one that the docs explain."""
    uids: int = 0
    gone: dict[str, Raw] = field(default_factory=dict)
    """Pods that are gone, as they were last, until the operator is told."""
    departed: dict[str, Raw] = field(default_factory=dict)
    """Of those, what the operator's cache keeps."""
    gpu_seconds: int = 0
    """What containers that ended have had."""

    @classmethod
    def of(cls, changes: Mapping[str, object] | None = None, *, queue: bool = False, **settings: Any) -> World:
        """A world with one job, not seen yet."""
        labels = kube_objects.QUEUE if queue else {}
        world = cls(job=kube_objects.selection_job(changes, labels=labels), **settings)
        world.cached_job = copy.deepcopy(world.job)
        return world

    @classmethod
    def running(cls, changes: Mapping[str, object] | None = None, *, queue: bool = False, **settings: Any) -> World:
        """A world whose job's first attempt runs, 20 s after it was created, and has spoken."""
        world = cls.of(changes, queue=queue, **settings)
        world.settle()
        world.goes_on()
        return world

    def goes_on(self) -> None:
        """The present attempt is admitted and runs, 20 s later, and its driver speaks; the operator sees each step."""
        self.admits()
        self.settle()
        self.starts()
        self.settle()
        self.passes(20)
        self.runs()
        self.settle()
        self.speaks()
        self.settle()

    def succeeds(self, **outcome: object) -> None:
        """The present attempt's driver has its outcome, and the RayJob ends well; the operator sees it."""
        self.speaks(stage="report", **outcome)
        self.finishes()
        self.settle()

    # the operator

    def look(self) -> Observed:
        """What the operator sees."""
        if self.is_prompt:
            self.tell()
        assert self.cached_job is not None
        found = {kind: tuple(self.cached[kind].values()) for kind in KINDS}
        raw = RawObjects(job=self.cached_job, departed=tuple(self.departed.values()), **found)
        return observe(raw, self.offers, self.memory)

    def decide(self) -> Decision:
        return decide(self.look(), self.now)

    def step(self) -> Decision:
        """One decision, performed."""
        seen = self.look()
        decision = decide(seen, self.now)
        for action in decision.actions:
            self.perform(action)
        patch = status_patch(seen.status, decision.status)
        if not patch or self.patch_status(patch, seen.resource_version):
            self.departed.clear()
        self.events += decision.events
        return decision

    def settle(self) -> Decision:
        """Decide until nothing more is to be done now."""
        for _ in range(30):
            if self.job is None:
                raise AssertionError("the job is gone")
            before = self.writes
            decision = self.step()
            if self.writes == before and not decision.actions:
                assert decision.wake_at is None or decision.wake_at > self.now, "it would look again without end"
                return decision
            if self.job is None:
                return decision
        raise AssertionError(f"never quiet: {decision.actions}")

    def perform(self, action: Action) -> None:
        match action:
            case AskDryRun(digest=digest):
                said = self.refuses_dry_run
                answer = DryRun(digest=digest, at=self.now, hindrance=self.hindrance if said else None, message=said)
                self.remember(dry_run=answer)
            case ReadRayJob(name=name):
                if name in self.objects["ray_jobs"]:
                    self.cached["ray_jobs"][name] = copy.deepcopy(self.objects["ray_jobs"][name])
                else:
                    self.remember(missing=self.memory.missing | {name})
                    self.cached["ray_jobs"].pop(name, None)
            case CreateRayJob(name=name, manifest=manifest):
                self.create("ray_jobs", "RayJob", name, manifest)
            case EnsureConfigMap(manifest=manifest):
                self.create("config_maps", "ConfigMap", manifest["metadata"]["name"], manifest)  # type: ignore[index, arg-type, call-overload]
            case DeleteRayJob(name=name, uid=uid):
                self.delete_ray_job(name, uid)
            case DeleteJob(uid=uid):
                assert self.job is not None
                assert uid == self.job["metadata"]["uid"]
                self.written()
                self.delete_job()
            case _:
                self.written()

    def create(self, kind: str, said: str, name: str, manifest: Mapping[str, Any]) -> None:
        if said in self.refuses:
            self.remember(
                refusal=Refusal(kind=said, name=name, message=self.refuses[said], at=self.now, hindrance=self.hindrance)
            )
            return
        self.written()
        made: Raw = copy.deepcopy(dict(manifest))
        present = self.objects[kind].get(name)
        if present is None:
            made["metadata"]["uid"] = self.new_uid()
            if kind == "ray_jobs":
                self.check_creation(made)
                self.created.append(name)
            self.objects[kind][name] = made
        elif made.get("data"):
            present["data"] = made["data"]
        self.cached[kind][name] = copy.deepcopy(self.objects[kind][name])

    def check_creation(self, made: Raw) -> None:
        """Never two live RayJobs of one job; no attempt that is known to have had one gets another."""
        assert made["metadata"]["name"] not in self.recorded, made["metadata"]["name"]
        assert self.live_ray_jobs() == [], (made["metadata"]["name"], self.live_ray_jobs())

    def live_ray_jobs(self) -> list[str]:
        """RayJobs of this job that run or may run."""
        return [
            name
            for name, raw in self.objects["ray_jobs"].items()
            if raw.get("status", {}).get("jobDeploymentStatus") not in ("Complete", "Failed") and self.is_ours(raw)
        ]

    @staticmethod
    def is_ours(raw: Raw) -> bool:
        return any(owner["uid"] == UID for owner in raw["metadata"].get("ownerReferences", ()))

    def patch_status(self, patch: Raw, version: str) -> bool:
        """False if somebody wrote in between."""
        assert self.job is not None
        if version != self.job["metadata"]["resourceVersion"]:
            self.cached_job = copy.deepcopy(self.job)
            return False
        self.written()
        self.patches += 1
        self.job["status"] = merge_patch(self.job.get("status") or {}, patch)
        if self.explains:
            self.check_words()
        self.recorded.add(self.job["status"].get("attempt", {}).get("rayJobName", ""))
        self.bump()
        self.cached_job = copy.deepcopy(self.job)
        return True

    def check_words(self) -> None:
        """No condition says what docs/conditions.md does not explain; what was said is remembered."""
        for found in self.status["conditions"]:
            pair = (ConditionStatus(found["status"]), Reason(found["reason"]))
            assert pair in MEANINGS[ConditionType(found["type"])], found
            SAID.add((ConditionType(found["type"]), *pair))

    def written(self) -> None:
        if self.dies_after is not None:
            if self.dies_after == 0:
                raise Crash
            self.dies_after -= 1
        self.writes += 1

    def restart(self) -> None:
        """Another process: it lists everything, and remembers nothing."""
        self.dies_after = None
        self.memory = Memory()
        self.gone.clear()
        self.departed.clear()
        self.cached = {kind: {} for kind in KINDS}
        self.tell()

    def remember(self, **learned: Any) -> None:
        kept = {name: getattr(self.memory, name) for name in ("dry_run", "missing", "refusal", "same_output")}
        self.memory = Memory(**{**kept, **learned})

    def tell(self, *kinds: str) -> None:
        """Watches tell what is."""
        for kind in set(kinds or KINDS) - {"job"}:
            if kind == "pods":
                self.departed |= {name: raw for name, raw in self.gone.items() if name in self.cached["pods"]}
                self.gone.clear()
            self.cached[kind] = copy.deepcopy(self.objects[kind])
        if not kinds or "job" in kinds:
            self.cached_job = copy.deepcopy(self.job)

    # people

    def edit(self, **spec: object) -> None:
        """Change fields of the spec; None removes one."""
        assert self.job is not None
        for name, value in spec.items():
            if value is None:
                self.job["spec"].pop(name, None)
            else:
                self.job["spec"][name] = value
        self.job["metadata"]["generation"] += 1
        self.bump()

    def label(self, **labels: str) -> None:
        """Set the queue."""
        assert self.job is not None
        self.job["metadata"]["labels"] = {kube_objects.QUEUE_LABEL: labels["queue"]} if labels["queue"] else {}
        self.bump()

    def bump(self) -> None:
        assert self.job is not None
        self.job["metadata"]["resourceVersion"] = str(int(self.job["metadata"]["resourceVersion"]) + 1)

    def delete_job(self) -> None:
        """The SelectionJob and, by garbage collection, all that it owns."""
        self.job = None
        for raw in self.objects["pods"].values():
            self.ends(raw)
        for kind in KINDS:
            self.objects[kind].clear()

    def delete_ray_job(self, name: str, uid: str | None = None) -> None:
        """Delete a RayJob; KubeRay and garbage collection take the rest away."""
        if uid is not None:
            self.written()
        found = self.objects["ray_jobs"].get(name)
        if found is None or (uid is not None and found["metadata"]["uid"] != uid):
            return
        found["metadata"]["deletionTimestamp"] = moment(self.now)
        self.cached["ray_jobs"][name] = copy.deepcopy(found)

    def collect_garbage(self) -> None:
        """RayJobs that are deleted go, their clusters and pods with them."""
        for name, raw in list(self.objects["ray_jobs"].items()):
            if "deletionTimestamp" in raw["metadata"]:
                del self.objects["ray_jobs"][name]
                self.remove_cluster(raw)
                self.remove_pods(raw, also_finished=True)
                self.objects["workloads"].pop(f"wl-{raw['metadata']['uid']}", None)

    # KubeRay

    def ray_job(self, name: str | None = None) -> Raw:
        """The RayJob of that name, or the last one that was created."""
        return self.objects["ray_jobs"][name or self.created[-1]]

    def ray_status(self, name: str | None = None, **fields: object) -> None:
        self.ray_job(name).setdefault("status", {}).update(fields)

    def starts(self, name: str | None = None) -> None:
        """KubeRay makes the cluster and its pods; none is ready."""
        raw = self.ray_job(name)
        cluster = f"{raw['metadata']['name']}-cluster"
        self.ray_status(name, jobDeploymentStatus="Initializing", rayClusterName=cluster)
        groups = raw["spec"]["rayClusterSpec"]["workerGroupSpecs"]
        workers = sum(group["replicas"] for group in groups)
        self.objects["ray_clusters"][cluster] = kube_objects.ray_cluster(cluster, desired=workers, ready=0, head=False)
        stage, attempt = self.turn(raw)
        roles = [
            ("head", 0),
            *((group["groupName"], gpus_of(group)) for group in groups for _ in range(group["replicas"])),
        ]
        for role, gpus in roles:
            pod_name = f"{cluster}-{role}-{self.new_uid()}"
            made = kube_objects.pod(pod_name, stage=stage, attempt=attempt, role=role, phase="Pending", ready=False)
            self.objects["pods"][pod_name] = kube_objects.with_gpus(made, gpus, created=self.now)

    def runs(self, name: str | None = None) -> None:
        """All pods are ready, and the job is submitted."""
        if not self.ray_job(name).get("status", {}).get("rayClusterName"):
            self.starts(name)
        raw = self.ray_job(name)
        cluster = self.objects["ray_clusters"][raw["status"]["rayClusterName"]]
        workers = cluster["status"]["desiredWorkerReplicas"]
        cluster["status"] = kube_objects.ray_cluster("", desired=workers, ready=workers)["status"]
        for found in self.pods_of(raw):
            found["status"] = kube_objects.pod("")["status"]
            kube_objects.ran(found, self.now)
        self.ray_status(name, jobDeploymentStatus="Running", jobStatus="RUNNING")

    def finishes(self, name: str | None = None, **fields: object) -> None:
        """The RayJob succeeds, or what `fields` say, and its cluster goes."""
        raw = self.ray_job(name)
        done = {"jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED", "endTime": moment(self.now)}
        self.ray_status(name, **{**done, **fields})
        self.remove_cluster(raw)
        self.remove_pods(raw)

    def fails(self, message: str = "", reason: str = "AppFailed", name: str | None = None) -> None:
        """The RayJob fails."""
        said = {"jobDeploymentStatus": "Failed", "jobStatus": "FAILED", "reason": reason, "message": message}
        self.finishes(name, **said)

    def remove_cluster(self, raw: Raw) -> None:
        self.objects["ray_clusters"].pop(raw.get("status", {}).get("rayClusterName", ""), None)

    def remove_pods(self, raw: Raw, *, also_finished: bool = False) -> None:
        for found in self.pods_of(raw):
            if also_finished or found["status"]["phase"] not in ("Succeeded", "Failed"):
                self.ends(found)
                del self.objects["pods"][found["metadata"]["name"]]

    def ends(self, pod: Raw) -> None:
        """Its container ends, and the pod is gone."""
        for container in pod["status"].get("containerStatuses", ()):
            if running := container.get("state", {}).get("running"):
                started = min(datetime.fromisoformat(running["startedAt"]), self.now)
                kube_objects.ran(pod, started, self.now)
                limits = pod["spec"]["containers"][0]["resources"]["limits"]
                self.gpu_seconds += int(limits["nvidia.com/gpu"]) * int((self.now - started).total_seconds())
        self.gone[pod["metadata"]["name"]] = copy.deepcopy(pod)

    def pods_of(self, raw: Raw) -> list[Raw]:
        labels = raw["metadata"]["labels"]
        keys = ("afray.dev/stage", "afray.dev/attempt")
        return [
            found
            for found in self.objects["pods"].values()
            if all(found["metadata"]["labels"][key] == labels[key] for key in keys)
        ]

    @staticmethod
    def turn(raw: Raw) -> tuple[str, int]:
        labels = raw["metadata"]["labels"]
        return labels["afray.dev/stage"], int(labels["afray.dev/attempt"])

    def new_uid(self) -> str:
        self.uids += 1
        return f"uid-{self.uids}"

    # Kueue

    def queues(self, reason: str = "Pending", message: str = "insufficient quota") -> None:
        """Kueue looks at the RayJob, and has no quota."""
        uid = self.ray_job()["metadata"]["uid"]
        made = kube_objects.workload(uid, QuotaReserved=("False", reason, message))
        self.objects["workloads"][made["metadata"]["name"]] = made

    def admits(self) -> None:
        """Kueue lets the RayJob run."""
        raw = self.ray_job()
        raw["spec"]["suspend"] = False
        conditions = {kind: ("True", kind, "") for kind in ("QuotaReserved", "Admitted")}
        made = kube_objects.workload(raw["metadata"]["uid"], **conditions)
        self.objects["workloads"][made["metadata"]["name"]] = made

    def evicts(self, message: str = "Preempted to accommodate a workload") -> None:
        """Kueue takes the quota back, and KubeRay the cluster away."""
        raw = self.ray_job()
        raw["spec"]["suspend"] = True
        said = {"QuotaReserved": ("False", "Pending", message), "Evicted": ("True", "Preempted", message)}
        made = kube_objects.workload(raw["metadata"]["uid"], **said)
        self.objects["workloads"][made["metadata"]["name"]] = made
        self.remove_cluster(raw)
        self.remove_pods(raw)
        raw["status"] = {"jobDeploymentStatus": "Suspended"}

    # the driver

    def speaks(self, **said: Any) -> None:
        """The driver of the last RayJob writes its progress."""
        stage, attempt = self.turn(self.ray_job())
        self.writes_progress(json.dumps(kube_objects.payload(self.now, **{"task": stage, "attempt": attempt, **said})))

    def writes_progress(self, text: str) -> None:
        """Somebody writes the ConfigMap, if it is there."""
        found = self.objects["config_maps"].get(PROGRESS)
        if found is not None:
            found["data"] = {"progress": text}

    # time and looks

    def passes(self, number: float) -> None:
        self.now += seconds(number)

    @property
    def status(self) -> Raw:
        assert self.job is not None
        found: Raw = self.job.get("status") or {}
        return found

    @property
    def attempt(self) -> Raw:
        found: Raw = self.status["attempt"]
        return found

    def condition(self, kind: str) -> tuple[str, str, str]:
        """Status, reason and message; nothing if it is not there."""
        for found in self.status.get("conditions", ()):
            if found["type"] == kind:
                return found["status"], found["reason"], found.get("message", "")
        return "", "", ""

    def stands(self, kind: str) -> str:
        """Such as "True/Valid"."""
        status, reason, _ = self.condition(kind)
        return f"{status}/{reason}" if status else ""

    @property
    def told(self) -> list[str]:
        """Reasons of all events so far."""
        return [event.reason.value for event in self.events]
