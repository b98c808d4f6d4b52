"""Amounts of cpu, memory and devices, spelled as in Kubernetes."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from afray.api.cel import INT_OR_STRING, Checked, Rule, matches
from afray.api.problems import broken
from afray.api.texts import ResourceName

PATTERN: Final = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
LONGEST: Final = 32
LARGEST_INTEGER: Final = 2**63 - 1
"""An API server reads larger numbers as floats; as texts they may be larger."""
WHOLE_FROM: Final = "1e15"
"""Larger numbers count as whole: an API server judges them as floats."""
KNOWN_QUANTITY: Final = Rule(
    rule=matches(PATTERN, "string(self)"),
    problem="is not a quantity",
    remedy="Write a number, with a unit if needed, such as 2, 500m or 16Gi.",
)
_FACTORS: Final = {"m": Decimal("0.001"), "k": Decimal(1000), "Ki": Decimal(1024)} | {
    unit: Decimal(base) ** power
    for power, letter in enumerate("MGTPE", 2)
    for unit, base in ((letter, 1000), (f"{letter}i", 1024))
}


def amount(quantity: str) -> Decimal:
    """The quantity as a number: cores, bytes or devices."""
    number = quantity.rstrip("mkKMGTPEi")
    return Decimal(number) * _FACTORS.get(quantity[len(number) :], Decimal(1))


def is_whole(quantity: str) -> bool:
    """Whether it counts things that come in one piece."""
    number = amount(quantity)
    return number >= Decimal(WHOLE_FROM) or number % 1 == 0


def check_quantity(value: object) -> str:
    """Return the quantity as text; raises a broken rule."""
    if isinstance(value, float):
        raise broken("", value, "is a float, which an API server refuses here", f'Write "{value}" in quotes.')
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) and value <= LARGEST_INTEGER else value
    if isinstance(text, str) and len(text) <= LONGEST and re.fullmatch(PATTERN, text):
        return text
    raise broken("", value, KNOWN_QUANTITY.problem, _remedy(value))


def _remedy(value: object) -> str:
    if isinstance(value, str) and (close := re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) *([kKmMgGtT])[iI]?[bB]?", value)):
        return f"Write {close[1]}{close[2].upper()}i (Ki, Mi, Gi and Ti count by 1024; k, M, G and T by 1000)."
    return KNOWN_QUANTITY.remedy


Quantity = Annotated[
    str,
    Field(max_length=LONGEST, pattern=PATTERN, json_schema_extra={INT_OR_STRING: True}),
    BeforeValidator(check_quantity),
    Checked(KNOWN_QUANTITY),
]
Resources = Annotated[dict[ResourceName, Quantity], Field(min_length=1, max_length=16)]
