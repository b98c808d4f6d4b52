"""A run of two workers of which one is killed, with the next task in hand, at each of some moments."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from helpers import jobs
from helpers.faults import NextTask
from helpers.jobs import At, Manifest, RecordingDisplay

from afray.driver.labelling import load_labels
from afray.driver.pipeline import run_stages
from afray.driver.workspace import RunSettings, opened
from afray.reporting import report as reports
from afray.reporting.report import Report

Moment = tuple[str, str, int]
"""The report after which it happens: stage, step, how far it has come."""


def run_losing_workers(made: Manifest, moments: Mapping[str, Moment], display: RecordingDisplay) -> Report:
    """The report of the run, once a worker was lost and replaced at every moment."""
    job, kills = jobs.parse(made), {moment: NextTask() for moment in moments}
    with opened(job, RunSettings(workers=2), display) as workspace:
        for moment, (stage, step, done) in moments.items():
            start = partial(kills[moment].start, workspace.crew)
            display.events.append(At(stage, start, step=step, done=done))
        report = reports.read(run_stages(workspace, load_labels(job))[reports.NAME])
        for kill in kills.values():
            kill.join()
        assert workspace.crew.replaced == len(moments)
        assert {kill.killed for kill in kills.values()}.isdisjoint(workspace.crew.pids)
    return report
