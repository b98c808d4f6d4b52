"""report.json: every number of the report, typed. report.html shows these and adds only pictures.

Whoever wants the figures in a dashboard or a spreadsheet reads this file, and the HTML can be drawn from it again.
"""

from __future__ import annotations

import json
from typing import Literal

from pydantic import AwareDatetime, ValidationError

from afray.reporting import facts
from afray.reporting.facts import Count, Digest, Facts, Funnel
from afray.reporting.round_facts import Bought, RoundReport

NAME = "report.json"


class Job(Facts):
    """What was asked for."""

    name: str
    pool: str
    output: str
    method: str
    core_method: str
    seed: int
    finished: AwareDatetime


class Clusters(Facts):
    """The parts into which the core rows divide the pool, in rows before denoising."""

    count: Count
    smallest: Count
    median: float
    largest: Count


class Counts(Facts):
    """Rows by what became of them."""

    core: Count
    boundary: Count
    removed: Count
    copies: Count
    quarantined: Count


class MapGroup(Facts):
    """Points of one class on the map; `ids` is empty for pool rows, which nobody asks for by name."""

    kind: Literal["pool", "core", "boundary", "removed"]
    x: tuple[float, ...]
    y: tuple[float, ...]
    ids: tuple[str, ...]


class PoolMap(Facts):
    """The pool seen along its two directions of largest variance."""

    drawn: Count
    rows: Count
    """Rows of the pool that could have been drawn."""
    explained: tuple[float, float]
    """Share of the total variance along each axis, 0..1."""
    groups: tuple[MapGroup, ...]


class ScoreHistogram(Facts):
    """Boundary scores in equal bins over [-1, 1]."""

    kept: tuple[Count, ...]
    """All kept rows, cores left out, without penalty."""
    picked: tuple[Count, ...]
    """Boundary picks, penalty included; the last bin also holds what the penalty lifted above 1."""
    picked_median: float


class PickedRow(Facts):
    """One selected row that the report shows."""

    id: str
    uri: str
    kind: Literal["core", "boundary"]
    rank: Count
    cluster: str
    score: float | None
    opponent: str | None
    distance: float | None


class RemovedRow(Facts):
    """One removed row that the report shows."""

    id: str
    uri: str
    cluster: str
    density: float | None
    """Mean distance to its nearest clustered neighbours when last ranked."""
    limit: float | None
    """The same for the last row that its cluster kept."""


class Gallery(Facts):
    """The rows that the report shows one by one."""

    core: tuple[PickedRow, ...]
    boundary: tuple[PickedRow, ...]
    removed: tuple[RemovedRow, ...]


class CopyGroup(Facts):
    """A row and how many exact copies it stands for."""

    id: str
    copies: Count


class BadRows(Facts):
    """Rows in quarantine for one reason, with the first of them."""

    reason: str
    count: Count
    first_id: str
    first_detail: str


class RandomDraw(Facts):
    """The same probe on as many randomly drawn labels."""

    seed: int
    accuracy: float
    macro_recall: float
    classes_hit: Count


class LinearProbe(Facts):
    """Figures (ratios 0..1) of a linear classifier on frozen features: selected labels beside random ones.

    Nothing is drawn at random where no label is known but those of the selected rows.
    """

    labels: Count
    selected: float
    """Accuracy."""
    macro_recall: float
    """Of the selected labels: mean recall over the classes of the held-out rows."""
    classes_hit: Count
    """Distinct classes among the selected labels."""
    random: tuple[RandomDraw, ...]
    random_mean: float | None
    """Accuracy; null without draws, as every mean."""
    random_sd: float | None
    """Sample standard deviation; null for fewer than two draws."""
    random_macro_recall: float | None
    random_classes_hit: float | None
    test_rows: Count


class Finetune(Facts):
    """One full finetune on the selected rows."""

    accuracy: float
    macro_recall: float
    classes_hit: Count
    classes: Count
    labels: Count
    seconds: float
    held_out: bool
    """False: cross-validated on the selected rows themselves, hence biased."""


class Evaluation(Facts):
    """What the labels turned out to be worth, as far as it was measured."""

    probe: LinearProbe | None = None
    finetune: Finetune | None = None
    bought: Bought | None = None
    """Of a round: what its labels changed for the probe of the held-out rows. Left out of the file elsewhere."""


class Stage(Facts):
    """Time that a stage took; `rows` it worked on, where that makes sense."""

    name: str
    seconds: float
    rows: int | None = None
    resumed: bool = False
    """Found finished from an earlier run: the seconds are those of looking it up."""


class Environment(Facts):
    """Where the numbers come from."""

    afray: str
    python: str
    platform: str
    model: str
    precision: str
    normalization: str
    devices: tuple[str, ...]
    libraries: dict[str, str]


class Report(Facts):
    """The whole report, in reading order."""

    version: Literal[1] = 1
    job: Job
    selection_digest: Digest
    funnel: Funnel
    counts: Counts
    clusters: Clusters | None
    map: PoolMap | None
    scores: ScoreHistogram | None
    """Null if there is no boundary step."""
    gallery: Gallery
    copy_groups: tuple[CopyGroup, ...]
    """The rows with most copies."""
    quarantine: tuple[BadRows, ...]
    evaluation: Evaluation
    environment: Environment
    stages: tuple[Stage, ...]
    round: RoundReport | None = None
    """Left out of the file in a first round."""


def write(report: Report) -> bytes:
    """report.json: one line per part, UTF-8, LF; the same report gives the same bytes."""
    document = facts.dump(report)
    if report.round is None:
        del document["round"]
    if report.evaluation.bought is None:
        del document["evaluation"]["bought"]  # type: ignore[union-attr, arg-type]
    parts = (f"{json.dumps(key)}: {_compact(value)}" for key, value in document.items())
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def read(content: bytes) -> Report:
    """The report in a file. Raises IntegrityError naming the field that is missing or broken."""
    facts.parse(content, NAME)
    try:
        return Report.model_validate_json(content)
    except ValidationError as invalid:
        raise facts.first_problem(NAME, invalid) from invalid


def _compact(value: facts.Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
