"""The end of a run on the terminal: the funnel, what the labels were worth, and where everything is."""

from __future__ import annotations

import json

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from afray.cli.output import Output, job_name
from afray.reporting import report as reports
from afray.reporting.report import Finetune, LinearProbe, Report

HTML = "report.html"


def summarize(report: Report) -> Output:
    """What `afray run` and `afray report` print."""
    data = json.loads(reports.write(report))
    # Arrays for drawing; whoever wants them reads report.json.
    for drawn in ("map", "gallery"):
        del data[drawn]
    if report.round and report.round.uncertainty:
        del data["round"]["uncertainty"]["levels"]
    data["report"] = address(report, HTML)
    return Output(table=_table(report), data=data, name=job_name(report.job.name))


def address(report: Report, name: str) -> str:
    """Where a file of the output is; a plain path on this machine."""
    return f"{report.job.output.rstrip('/')}/{name}".removeprefix("file://")


def _table(report: Report) -> RenderableType:
    parts: list[RenderableType] = [_funnel(report)]
    evaluation = report.evaluation
    if evaluation.probe or evaluation.finetune:
        parts.append(_figures(evaluation.probe, evaluation.finetune))
    parts += [
        _fact("selectionDigest", report.selection_digest),
        _fact("selection", address(report, "selection.csv")),
        _fact("report", address(report, HTML)),
    ]
    return Group(*parts)


def _fact(name: str, value: str) -> Text:
    """A line that is never cut: people copy digests and paths. A digest of 64 digits just fits into 80 columns."""
    return Text(f"{name:15} {value}", overflow="fold")


def _funnel(report: Report) -> RenderableType:
    funnel, counts = report.funnel, report.counts
    table = Table(title=f"{report.job.name}: rows", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for column in ("listed", "readable", "unique", "kept", "selected"):
        table.add_column(column, justify="right")
    table.add_row(*(f"{count:,}" for count in (funnel.listed, funnel.readable, funnel.unique, funnel.kept)),
                  f"{funnel.selected:,} ({counts.core:,} core, {counts.boundary:,} boundary)")  # fmt: skip
    return table


def _figures(probe: LinearProbe | None, finetune: Finetune | None) -> RenderableType:
    labels = next(figures.labels for figures in (probe, finetune) if figures)
    table = Table(title=f"what {labels:,} labels are worth", title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    table.add_column("accuracy", justify="right")
    table.add_column("")
    if probe:
        table.add_row("linear probe, selected", f"{probe.selected:.1%}", _scope(probe.macro_recall, probe.classes_hit))
        if probe.random:
            spread = "" if probe.random_sd is None else f" ± {100 * probe.random_sd:.1f}"
            seeds = f"mean over seeds {probe.random[0].seed}-{probe.random[-1].seed}"
            scope = _scope(probe.random_macro_recall or 0, probe.random_classes_hit or 0)
            table.add_row("linear probe, random", f"{probe.random_mean:.1%}{spread}", f"{scope}, {seeds}")
    if finetune:
        basis = "" if finetune.held_out else ", on selected rows, biased"
        if not finetune.held_out and finetune.labels < 2 * finetune.classes:
            basis += "; too few labels to say anything: a class with one label is not learnt while that one is tested"
        note = f"{_scope(finetune.macro_recall, finetune.classes_hit)}, {finetune.seconds:.0f} s"
        table.add_row("full finetune, selected", f"{finetune.accuracy:.1%}", Text(note + basis))
    return table


def _scope(macro_recall: float, classes_hit: float) -> str:
    """What accuracy alone does not say."""
    return f"macro recall {macro_recall:.1%}, {classes_hit:.3g} classes"
