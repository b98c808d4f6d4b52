"""Rules of blocks and between blocks, in CEL, each beside the check of `afray.api.checks` that says the same in Python.

`BLOCK_RULES` puts them where an API server looks for them. What it can not check, and how it checks what needs no CEL,
is said for every check, so that none is forgotten.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel

from afray.api.cel import Rule
from afray.api.checks import Check, places, pods, templates
from afray.api.crd.rules import changes, choices, locations, resources, settings
from afray.api.crd.rules.placed import Placed

BY_CEL: Final[Mapping[Check, tuple[Placed, ...]]] = {**settings.RULES, **locations.RULES, **resources.RULES}
BY_SCHEMA: Final[Mapping[Check, str]] = {
    pods.block_is_missing: "required fields",
    pods.group_named_twice: "a list with the key name",
    pods.variable_set_twice: "a list with the key name",
    places.path_instead_of_a_uri: "a rule of every location",
}
"""Checks that need no rule between fields, and what does their work."""
NOT_BY_SERVER: Final[Mapping[Check, str]] = {
    pods.spec_is_too_large: "CEL can not measure an object, and sees nothing of a pod template",
    templates.head_under_another_account: "CEL sees nothing of a pod template",
    templates.secret_in_a_template: "CEL sees nothing of a pod template",
}
"""Checks that only afray makes, and why."""


def _by_block() -> Mapping[type[BaseModel], tuple[Rule, ...]]:
    found: defaultdict[type[BaseModel], list[Rule]] = defaultdict(list)
    for placed in (*choices.RULES, *(rule for rules in BY_CEL.values() for rule in rules), *changes.RULES):
        found[placed.block].append(placed.rule)
    return {block: tuple(rules) for block, rules in found.items()}


BLOCK_RULES: Final = _by_block()
