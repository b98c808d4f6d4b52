"""Locations that lie inside each other. An API server compares them as texts, and decodes no file URI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from afray.api.cel import Rule, quote
from afray.api.checks import Check, places
from afray.api.crd.rules.placed import Placed
from afray.api.job import JobSpec


def _contains(folder: str, location: str) -> str:
    """The expression that a location is a folder or lies below it."""
    plain = "{}.replace('file://localhost/', 'file:///', 1)"
    inner, outer = plain.format(f"({location} + '/')"), plain.format(folder)
    return f"{inner}.startsWith({outer}.endsWith('/') ? {outer} : {outer} + '/')"


def _output_inside(name: str) -> Placed:
    given = "" if name == "pool" else f"!has(self.{name}) || "
    return Placed(
        block=JobSpec,
        rule=Rule(
            rule=f"{given}!{_contains(f'self.{name}.uri', 'self.output.uri')}",
            field=".output.uri",
            problem=f"is {name}.uri or lies below it",
            remedy="Use a folder beside it: what the job writes would be listed as rows.",
        ),
    )


def _labels_as_rows(path: str) -> Placed:
    given = "" if path == "pool" else f"!has(self.{path}) || "
    labels = f"self.{path}.labels"
    return Placed(
        block=JobSpec,
        rule=Rule(
            rule=(
                f"{given}!has({labels}) || {labels}.format != 'parquet'"
                f" || !(self.{path}.format in {quote(['parquet', 'embeddings'])})"
                f" || !{_contains(f'self.{path}.uri', f'{labels}.uri')}"
            ),
            field=f".{path}.labels.uri",
            problem=f"lies below {path}.uri and would be read as rows",
            remedy="Move the label file out, or point uri at a subfolder that holds rows only.",
        ),
    )


_OVERLAP: Final = Placed(
    block=JobSpec,
    rule=Rule(
        rule=(
            f"!has(self.evaluation) || !{_contains('self.pool.uri', 'self.evaluation.uri')}"
            f" && !{_contains('self.evaluation.uri', 'self.pool.uri')}"
        ),
        field=".evaluation.uri",
        problem="shares rows with pool.uri",
        remedy="Keep held-out rows in a folder of their own, beside the pool's.",
    ),
)
_EARLIER_LABELS: Final = Placed(
    block=JobSpec,
    rule=Rule(
        rule=(
            "!has(self.previous) || self.previous.labels.format != 'parquet'"
            f" || !(self.pool.format in {quote(['parquet', 'embeddings'])})"
            f" || !{_contains('self.pool.uri', 'self.previous.labels.uri')}"
        ),
        field=".previous.labels.uri",
        problem="lies below pool.uri and would be read as rows",
        remedy="Move the label file out, or point uri at a subfolder that holds rows only.",
    ),
)
_OUTPUT_BEFORE: Final = Placed(
    block=JobSpec,
    rule=Rule(
        rule=f"!has(self.previous) || !{_contains('self.output.uri', 'self.previous.certificate.uri')}",
        field=".output.uri",
        problem="holds the certificate of the round before",
        remedy="Write this round beside it, such as <its folder>-2.",
    ),
)
RULES: Final[Mapping[Check, tuple[Placed, ...]]] = {
    places.output_inside_the_rows: (_output_inside("pool"), _output_inside("evaluation")),
    places.evaluation_overlaps_the_pool: (_OVERLAP,),
    places.labels_read_as_rows: (_labels_as_rows("pool"), _labels_as_rows("evaluation")),
    places.earlier_labels_read_as_rows: (_EARLIER_LABELS,),
    places.output_of_the_round_before: (_OUTPUT_BEFORE,),
}
