"""What every run of a job has in common: of each object the stations that none can leave out."""

from __future__ import annotations

from collections.abc import Iterable

from helpers.recorded_lives import State, Step


def milestones(steps: Iterable[Step]) -> dict[str, list[str]]:
    """The stations of each object, in their order; timing, and what may be overtaken by what follows, is left out."""
    found: dict[str, list[str]] = {}
    for step in steps:
        passed = found.setdefault(f"{step.kind} {step.name}", [])
        for station in ["gone"] if step.state is None else STATIONS[step.kind](step.state):
            if station not in passed:
                passed.append(station)
    return found


def _stations_of_ray_job(state: State) -> list[str]:
    """While it is suspended, KubeRay and Kueue may take turns in any order; a status may be overtaken by the next."""
    if state["suspend"]:
        return ["suspended"]
    deployment = state["status"].get("jobDeploymentStatus", "")
    outcome = state["status"].get("jobStatus", "") if state["hasEnded"] else ""
    return [f"{deployment} {outcome}".strip()] * (deployment in ("Running", "Complete", "Failed"))


def _stations_of_ray_cluster(state: State) -> list[str]:
    is_head_ready = any(condition["type"] == "HeadPodReady" for condition in state["conditions"])
    is_ready = is_head_ready and state["readyWorkerReplicas"] == state["desiredWorkerReplicas"] > 0
    return ["ready" if is_ready else "made"]


def _stations_of_workload(state: State) -> list[str]:
    return ["made", *(one["type"] for one in state["conditions"] if one["status"] == "True")]


def _stations_of_pod(state: State) -> list[str]:
    is_ready = any(condition["type"] == "Ready" for condition in state["conditions"])
    return ["ready"] if is_ready else ["Succeeded"] if state["phase"] == "Succeeded" else ["made"]


def _stations_of_config_map(state: State) -> list[str]:
    """Stages may be too short to be told of; those where the work is are not."""
    said = state["progress"]
    outcomes = sorted({"result", "labels", "finetune", "failure"} & said.keys())
    stages = [stage for stage in ("start", "embed pool", "select") if said.get("stage") == stage]
    return [f"attempt {said['attempt']}: {word}" for word in outcomes or stages]


STATIONS = {
    "RayJob": _stations_of_ray_job,
    "RayCluster": _stations_of_ray_cluster,
    "Workload": _stations_of_workload,
    "Pod": _stations_of_pod,
    "ConfigMap": _stations_of_config_map,
}
