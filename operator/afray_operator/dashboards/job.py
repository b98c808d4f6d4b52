"""The dashboard of one job, for the data scientist who submitted it: how far, how long still, and why it waits."""

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
    Query,
    bars,
    lines,
    stat,
    text,
    timeline,
)

_JOB: Final = 'namespace="$namespace", name="$job"'
_RATIO: Final = f"afray_job_progress_ratio{{{_JOB}}}"
_ITS_QUEUE: Final = f"on (namespace, queue) group_left () max by (namespace, queue) (afray_job_phase{{{_JOB}}})"
_STATES: Final = ("listed", "readable", "unique", "kept", "selected")
_MORE: Final = """\
The whole sentence behind a reason, in the words of Kueue, the scheduler or the driver, and what to do next:

```
afray watch $job --namespace $namespace
kubectl -n $namespace describe sj $job
```

All reasons: `docs/conditions.md`.
"""


def _rate(metric: str, *labels: str) -> str:
    """Per second, added up over all but some labels."""
    by = f" by ({', '.join(labels)})" if labels else ""
    return f"sum{by} (rate({metric}{{{_JOB}}}[$__rate_interval]))"


def _in_state(state: str) -> str:
    """Rows of the pool that turned out so."""
    return f'max(ray_afray_funnel_rows_total{{{_JOB}, state="{state}"}})'


_STANDS: Final = Section(
    "Where it stands",
    [
        stat(
            About(title="Phase", description="Where the job stands, in one word.", width=SIXTH),
            Query(f"max by (phase) (afray_job_phase{{{_JOB}}})", "{{phase}}"),
            shows_name=True,
        ),
        stat(
            About(title="Because", description="The reason of the condition that decides the phase.", width=SIXTH),
            Query(f"max by (reason) (afray_job_reason{{{_JOB}}})", "{{reason}}"),
            shows_name=True,
        ),
        stat(
            About(title="Done", description="Share of the current stage.", width=SIXTH, unit="percentunit"),
            Query(f"max by (stage) ({_RATIO})", "{{stage}}"),
        ),
        stat(
            About(
                title="Time left in the stage",
                description="At the pace of the last 15 minutes, without later stages; empty if nothing moves.",
                width=SIXTH,
                unit="s",
            ),
            Query(f"(1 - max by (stage) ({_RATIO})) / (max by (stage) (deriv({_RATIO}[15m])) > 0)", "{{stage}}"),
        ),
        stat(
            About(
                title="Last word of the driver",
                description="How long ago the driver spoke. It speaks every few seconds while it runs.",
                width=SIXTH,
                unit="s",
            ),
            Query(f"time() - max(afray_job_heartbeat_timestamp_seconds{{{_JOB}}})"),
            steps=[(120, "yellow"), (600, "red")],
        ),
        stat(
            About(
                title="Attempts that failed",
                description="Of this stage, against policy.backoffLimit. Preemption is none.",
                width=SIXTH,
            ),
            Query(f"max(afray_job_failures{{{_JOB}}})"),
            steps=[(1, "yellow"), (3, "red")],
        ),
    ],
)

_WAITS: Final = Section(
    "Progress, and why it waits",
    [
        lines(
            About(title="Progress", description="Done share of each stage over time.", unit="percentunit"),
            Query(f"max by (stage) ({_RATIO})", "{{stage}}"),
            most=1,
        ),
        timeline(
            About(
                title="Phases and their reasons",
                description="What the job was at which time, and why: for a wait, what it waited for.",
            ),
            Query(f"max by (phase, reason) (afray_job_reason{{{_JOB}}})", "{{phase}}: {{reason}}"),
        ),
        lines(
            About(
                title="Jobs of its queue",
                description="How many wait beside this one, and how many are at work.",
                width=THIRD,
            ),
            Query(f"sum by (phase) (afray_jobs * {_ITS_QUEUE})", "{{phase}}"),
            stacked=True,
        ),
        stat(
            About(
                title="Usual wait in its queue",
                description="In the last 7 days: half of the jobs, and nine in ten, waited no longer.",
                width=THIRD,
                unit="s",
            ),
            *(
                Query(
                    f"histogram_quantile({share}, sum by (le) "
                    f"(increase(afray_job_queue_wait_seconds_bucket[7d]) * {_ITS_QUEUE}))",
                    name,
                )
                for share, name in ((0.5, "half"), (0.9, "nine in ten"))
            ),
        ),
        text("More about it", _MORE, width=THIRD),
    ],
)

_FUNNEL: Final = Section(
    "Funnel",
    [
        bars(
            About(
                title="Rows of the pool",
                description="As far as is known; unique by content, kept as no outlier. Gone with the Ray cluster.",
            ),
            *(Query(_in_state(state), state) for state in _STATES),
        ),
        stat(
            About(
                title="In quarantine",
                description="Share of the pool's rows that are missing, damaged or no images; until all are read, of "
                "those that the living workers read.",
                width=QUARTER,
                unit="percentunit",
            ),
            Query(
                f"1 - {_in_state('readable')} / {_in_state('listed')}"
                f" or sum(ray_afray_embedding_quarantined_rows_total{{{_JOB}}})"
                f" / sum(ray_afray_embedding_rows_total{{{_JOB}}})"
            ),
            steps=[(0.01, "yellow"), (0.05, "red")],
        ),
        stat(
            About(title="Outliers", description="Rows removed from their clusters as outliers.", width=QUARTER),
            Query(f"sum(ray_afray_selection_outlier_rows_total{{{_JOB}}})"),
        ),
    ],
)

_THROUGHPUT: Final = Section(
    "Throughput",
    [
        lines(
            About(
                title="Rows embedded, by worker",
                description="Images per second of each pod. One line far below the others is a slow node.",
                unit="suffix: rows/s",
            ),
            Query(_rate("ray_afray_embedding_rows_total", "pod"), "{{pod}}"),
        ),
        lines(
            About(
                title="Rows finished, by stage",
                description="What the driver got behind it per second, in each stage and step.",
                unit="suffix: rows/s",
            ),
            Query(_rate("ray_afray_stage_rows_total", "stage", "step"), "{{stage}} {{step}}"),
        ),
        lines(
            About(
                title="Workers' time in the model",
                description="The rest is waiting for pixels; if that is much, reading or decoding is the bottleneck.",
                width=THIRD,
                unit="percentunit",
            ),
            Query(
                f"{_rate('ray_afray_embedding_model_seconds_total')} / {_rate('ray_afray_embedding_seconds_total')}",
                "model",
            ),
            most=1,
        ),
        lines(
            About(
                title="Bytes",
                description="Read from the pool and written to the output.",
                width=THIRD,
                unit="binBps",
            ),
            Query(_rate("ray_afray_embedding_read_bytes_total"), "read"),
            Query(_rate("ray_afray_embedding_written_bytes_total"), "written"),
        ),
        lines(
            About(
                title="Selection",
                description="Rows scored and picked per second.",
                width=THIRD,
                unit="suffix: rows/s",
            ),
            Query(_rate("ray_afray_selection_scored_rows_total"), "scored"),
            Query(_rate("ray_afray_selection_picked_rows_total"), "picked"),
        ),
        lines(
            About(
                title="Workers lost, tasks repeated",
                description="Since the attempt began. A lost worker costs the tasks it had in hand.",
                width=FULL,
            ),
            Query(f"sum by (cause) (ray_afray_workers_lost_total{{{_JOB}}})", "workers: {{cause}}"),
            Query(f"sum(ray_afray_tasks_repeated_total{{{_JOB}}})", "tasks"),
        ),
    ],
)

_COST: Final = Section(
    "Cost",
    [
        stat(
            About(title="GPUs held", description="GPUs of its containers that run now.", width=THIRD),
            Query(f"max(afray_job_gpus{{{_JOB}}})"),
        ),
        stat(
            About(
                title="GPU time",
                description="GPUs that its containers requested, times the hours that they ran, over all attempts.",
                width=THIRD,
                unit=GPU_HOURS,
            ),
            Query(f"max(afray_job_gpu_seconds{{{_JOB}}}) / 3600"),
        ),
        stat(
            About(
                title="Of that in failed attempts",
                description="What those attempts committed was not lost: the next one went on from there.",
                width=THIRD,
                unit=GPU_HOURS,
            ),
            Query(f"max(afray_job_failed_gpu_seconds{{{_JOB}}}) / 3600"),
            steps=[(1, "yellow")],
        ),
    ],
)

BOARD: Final = Board(
    uid="afray-job",
    title="afray: my job",
    description="One SelectionJob: how far it is, how long it still takes, and why it waits.",
    variables=[
        Variable(name="namespace", label="Namespace", values="label_values(afray_job_phase, namespace)"),
        Variable(name="job", label="Job", values='label_values(afray_job_phase{namespace="$namespace"}, name)'),
    ],
    sections=[_STANDS, _WAITS, _FUNNEL, _THROUGHPUT, _COST],
)
