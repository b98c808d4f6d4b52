"""The dashboard of all jobs and of the operator, for a platform team: who waits, what fails, and whether it is well."""

from __future__ import annotations

from typing import Final

from afray_operator.dashboards.boards import Board, Section, Variable
from afray_operator.dashboards.panels import (
    FULL,
    GPU_HOURS,
    QUARTER,
    SIXTH,
    THIRD,
    About,
    Panel,
    Query,
    bars,
    lines,
    stat,
    table,
    timeline,
)

_TEAMS: Final = 'namespace=~"$namespace", queue=~"$queue"'
_QUANTILES: Final = ((0.5, "half"), (0.9, "nine in ten"))


def _number(title: str, description: str, phases: str, *, is_bad: bool = False) -> Panel:
    """How many jobs are in some phases; 0 if none was ever."""
    return stat(
        About(title=title, description=description, width=SIXTH),
        Query(f'sum(afray_jobs{{{_TEAMS}, phase=~"{phases}"}}) or vector(0)'),
        steps=[(1, "red")] if is_bad else [(1, "blue")],
    )


def _quantiles(histogram: str, labels: str, *, over: str) -> list[Query]:
    return [
        Query(f"histogram_quantile({share}, sum by (le) (increase({histogram}_bucket{labels}[{over}])))", name)
        for share, name in _QUANTILES
    ]


_JOBS: Final = Section(
    "Jobs",
    [
        _number("At work", "Jobs that hold pods and do something.", "Running|ValidatingLabels|Finetuning"),
        _number("Waiting for quota", "Jobs that Kueue has not admitted.", "Queued"),
        _number("Starting", "Jobs that have quota, and whose pods are not all ready.", "Starting"),
        _number(
            "Between attempts", "Jobs whose last attempt failed, and that wait for the next.", "Retrying", is_bad=True
        ),
        _number("Waiting for labels", "Jobs whose selection people label now; they hold no pods.", "AwaitingLabels"),
        _number("Failed", "Jobs that gave up, and were not deleted yet.", "Failed", is_bad=True),
        lines(
            About(title="Jobs by phase", description="All SelectionJobs of the chosen namespaces and queues."),
            Query(f"sum by (phase) (afray_jobs{{{_TEAMS}}})", "{{phase}}"),
            stacked=True,
        ),
        table(
            About(title="Jobs by namespace, queue and phase", description="At the end of the chosen time."),
            Query(f"sum by (namespace, queue, phase) (afray_jobs{{{_TEAMS}}})"),
        ),
    ],
)

_QUEUES: Final = Section(
    "Queues",
    [
        lines(
            About(title="Jobs that wait, by queue", description="Jobs that Kueue has not admitted.", width=THIRD),
            Query(f'sum by (namespace, queue) (afray_jobs{{{_TEAMS}, phase="Queued"}})', "{{namespace}}/{{queue}}"),
        ),
        lines(
            About(
                title="Queue wait",
                description="Of jobs admitted in the 6 hours before: half of them, and nine in ten, waited no longer.",
                width=THIRD,
                unit="s",
            ),
            *_quantiles("afray_job_queue_wait_seconds", f"{{{_TEAMS}}}", over="6h"),
        ),
        bars(
            About(
                title="Queue wait by queue",
                description="How long nine jobs in ten waited at most, of those admitted in the chosen time.",
                width=THIRD,
                unit="s",
            ),
            Query(
                "histogram_quantile(0.9, sum by (namespace, queue, le) "
                f"(increase(afray_job_queue_wait_seconds_bucket{{{_TEAMS}}}[$__range])))",
                "{{namespace}}/{{queue}}",
            ),
            steps=[(3600, "yellow"), (14400, "red")],
        ),
        bars(
            About(
                title="Why jobs do not run",
                description="Jobs that are not at work yet, by the reason of the condition that decides their phase.",
            ),
            Query(f'sum by (reason) (afray_job_reason{{{_TEAMS}, phase=~"Pending|Queued|Starting"}})', "{{reason}}"),
        ),
        lines(
            About(
                title="Rows embedded, by team",
                description="Images per second, over all jobs of a namespace and queue.",
                unit="suffix: rows/s",
            ),
            Query(
                f"sum by (namespace, queue) (rate(ray_afray_embedding_rows_total{{{_TEAMS}}}[$__rate_interval]))",
                "{{namespace}}/{{queue}}",
            ),
            stacked=True,
        ),
    ],
)

_ENDS: Final = Section(
    "How jobs end",
    [
        bars(
            About(
                title="Jobs that ended",
                description="In the chosen time, by outcome, but for the first of each series.",
                width=THIRD,
            ),
            Query(f"sum by (outcome) (increase(afray_job_run_seconds_count{{{_TEAMS}}}[$__range]))", "{{outcome}}"),
        ),
        lines(
            About(
                title="Run time",
                description="From first admission to the end, of the jobs that ended in the 6 hours before.",
                width=THIRD,
                unit="s",
            ),
            *_quantiles("afray_job_run_seconds", f"{{{_TEAMS}}}", over="6h"),
        ),
        bars(
            About(
                title="Failures by reason",
                description="Jobs that gave up or wait for their next attempt. Each reason: docs/conditions.md.",
                width=THIRD,
            ),
            Query(f'sum by (reason) (afray_job_reason{{{_TEAMS}, phase=~"Failed|Retrying"}})', "{{reason}}"),
            steps=[(1, "red")],
        ),
        table(
            About(title="Jobs that failed", description="Until they are deleted, with the reason."),
            Query(f'max by (namespace, name, queue, reason) (afray_job_reason{{{_TEAMS}, phase="Failed"}})'),
        ),
        lines(
            About(
                title="Workers lost",
                description="In the hour before: they died with their pod, or stalled and were killed.",
            ),
            Query(f"sum by (cause) (increase(ray_afray_workers_lost_total{{{_TEAMS}}}[1h]))", "{{cause}}"),
        ),
    ],
)

_GPUS: Final = Section(
    "GPU time",
    [
        lines(
            About(title="GPUs held, by team", description="GPUs of containers that run.", width=THIRD),
            Query(f"sum by (namespace, queue) (afray_job_gpus{{{_TEAMS}}})", "{{namespace}}/{{queue}}"),
            stacked=True,
        ),
        bars(
            About(
                title="GPU time spent, by team",
                description="In the chosen time, also of jobs that are deleted by now.",
                width=THIRD,
                unit=GPU_HOURS,
            ),
            Query(
                f"sum by (namespace, queue) (increase(afray_gpu_seconds_total{{{_TEAMS}}}[$__range])) / 3600",
                "{{namespace}}/{{queue}}",
            ),
        ),
        bars(
            About(
                title="GPU time of failed attempts, by team",
                description="The part of it that attempts spent which failed; what they committed was not lost.",
                width=THIRD,
                unit=GPU_HOURS,
            ),
            Query(
                f"sum by (namespace, queue) (increase(afray_failed_gpu_seconds_total{{{_TEAMS}}}[$__range])) / 3600",
                "{{namespace}}/{{queue}}",
            ),
            steps=[(1, "red")],
        ),
        table(
            About(
                title="GPU time by job",
                description="Of the jobs that are there, the 20 that spent most, in GPU-hours.",
                width=FULL,
                unit=GPU_HOURS,
            ),
            Query(f"topk(20, max by (namespace, name, queue) (afray_job_gpu_seconds{{{_TEAMS}}})) / 3600"),
        ),
    ],
)

_OPERATOR: Final = Section(
    "Operator",
    [
        stat(
            About(title="Leaders", description="One for each release of the chart.", width=SIXTH),
            Query("sum by (namespace) (afray_operator_leader)", "{{namespace}}"),
            steps=[(0, "red"), (1, "green"), (2, "red")],
        ),
        stat(
            About(title="Versions", description="Of the pods; two of them during an update.", width=SIXTH),
            Query("count by (version) (afray_operator_info)", "{{version}}"),
        ),
        stat(
            About(
                title="Last full listing",
                description="How long ago the leader listed everything, as it does every resyncSeconds.",
                width=SIXTH,
                unit="s",
            ),
            Query("time() - max(afray_operator_resync_timestamp_seconds and afray_operator_leader == 1)"),
            steps=[(600, "yellow"), (900, "red")],
        ),
        stat(
            About(
                title="Namespaces left to others",
                description="Namespaces whose jobs another release of the operator serves.",
                width=SIXTH,
            ),
            Query("max by (namespace) (afray_operator_namespaces_left)", "{{namespace}}"),
            steps=[(1, "yellow")],
        ),
        timeline(
            About(title="Who leads", description="Pod by pod; a gap is a time without a leader.", width=THIRD),
            Query("max by (pod) (afray_operator_leader)", "{{pod}}"),
        ),
        lines(
            About(title="Looks at jobs", description="Per second, by result.", width=QUARTER, unit="ops"),
            Query("sum by (result) (rate(afray_operator_reconcile_total[$__rate_interval]))", "{{result}}"),
        ),
        lines(
            About(title="Time of a look", description="Half of the looks, and nine in ten.", width=QUARTER, unit="s"),
            *_quantiles("afray_operator_reconcile_duration_seconds", "", over="$__rate_interval"),
        ),
        lines(
            About(
                title="Jobs due for a look",
                description="Near 0 when all is well; growing, if the API server is slow.",
                width=QUARTER,
            ),
            Query("max by (namespace) (afray_operator_queue_depth)", "{{namespace}}"),
        ),
        lines(
            About(title="Writes", description="To the API server, per second.", width=QUARTER, unit="wps"),
            Query("sum by (kind, verb) (rate(afray_operator_api_writes_total[$__rate_interval]))", "{{verb}} {{kind}}"),
        ),
        lines(
            About(
                title="Silence of watches",
                description="How long ago each watch told something; long where nothing happens.",
                unit="s",
            ),
            Query(
                "time() - max by (resource) (afray_operator_watch_last_event_timestamp_seconds)",
                "{{resource}}",
            ),
        ),
    ],
)

BOARD: Final = Board(
    uid="afray-fleet",
    title="afray: the fleet",
    description="All SelectionJobs by namespace and queue, how they wait and end, and the health of the operator.",
    variables=[
        Variable(name="namespace", label="Namespace", values="label_values(afray_jobs, namespace)", is_many=True),
        Variable(
            name="queue", label="Queue", values='label_values(afray_jobs{namespace=~"$namespace"}, queue)', is_many=True
        ),
    ],
    sections=[_JOBS, _QUEUES, _ENDS, _GPUS, _OPERATOR],
)
