"""Locations that lie inside each other, where one would be read as a part of the other."""

from __future__ import annotations

from collections.abc import Iterator

from afray.api import uris
from afray.api.checks import violation
from afray.api.job import SelectionJob
from afray.api.location_rules import PATH
from afray.api.locations import contains, is_uri
from afray.api.problems import Problem


def output_inside_the_rows(job: SelectionJob) -> Iterator[Problem]:
    """A second run would list the first one's files as rows."""
    output = job.spec.output.uri
    for name, rows in (("pool", job.spec.pool), ("evaluation", job.spec.evaluation)):
        if rows is not None and contains(rows.uri, output):
            remedy = "Use a folder beside it: what the job writes would be listed as rows."
            yield violation("output.uri", output, f"is {name}.uri or lies below it", remedy)


def evaluation_overlaps_the_pool(job: SelectionJob) -> Iterator[Problem]:
    """Held-out rows that can be selected are trained on, and the metrics lie."""
    if job.spec.evaluation is None:
        return
    pool, heldout = job.spec.pool.uri, job.spec.evaluation.uri
    if contains(pool, heldout) or contains(heldout, pool):
        remedy = "Keep held-out rows in a folder of their own, beside the pool's."
        yield violation("evaluation.uri", heldout, "shares rows with pool.uri", remedy)


def labels_read_as_rows(job: SelectionJob) -> Iterator[Problem]:
    """Every parquet file below a parquet pool is taken for rows."""
    spec = job.spec
    for owner, block, path, rows in (
        ("pool", spec.pool, "pool", spec.pool),
        ("evaluation", spec.evaluation, "evaluation", spec.evaluation),
        ("previous", spec.previous, "pool", spec.pool),
    ):
        labels = block.labels if block is not None else None
        if rows is None or labels is None or rows.format not in ("parquet", "embeddings"):
            continue
        if labels.format == "parquet" and contains(rows.uri, labels.uri):
            remedy = "Move the label file out, or point uri at a subfolder that holds rows only."
            yield violation(
                f"{owner}.labels.uri", labels.uri, f"lies below {path}.uri and would be read as rows", remedy
            )


def output_of_the_round_before(job: SelectionJob) -> Iterator[Problem]:
    """A round has an output of its own: the one before it is finished, and is read as it is."""
    previous, output = job.spec.previous, job.spec.output.uri
    if previous is not None and contains(output, previous.certificate.uri):
        remedy = "Write this round beside it, such as <its folder>-2."
        yield violation("output.uri", output, "holds the certificate of the round before", remedy)


def path_instead_of_a_uri(job: SelectionJob) -> Iterator[Problem]:
    """On a cluster a path means something else in every pod."""
    for field, location in uris.locations(job):
        if not is_uri(location):
            yield violation(field.removeprefix("spec."), location, PATH.problem, PATH.remedy)
