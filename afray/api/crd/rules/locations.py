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


def _labels_as_rows(owner: str, path: str) -> Placed:
    """The rule that labels named by `owner` do not lie among the rows of `path`."""
    given = "" if owner == "pool" else f"!has(self.{owner}) || "
    labels = f"self.{owner}.labels"
    return Placed(
        block=JobSpec,
        rule=Rule(
            rule=(
                f"{given}!has({labels}) || {labels}.format != 'parquet'"
                f" || !(self.{path}.format in {quote(['parquet', 'embeddings'])})"
                f" || !{_contains(f'self.{path}.uri', f'{labels}.uri')}"
            ),
            field=f".{owner}.labels.uri",
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
    places.labels_read_as_rows: tuple(
        _labels_as_rows(owner, path)
        for owner, path in (("pool", "pool"), ("evaluation", "evaluation"), ("previous", "pool"))
    ),
    places.output_of_the_round_before: (_OUTPUT_BEFORE,),
}
