"""Rules that an API server checks by itself, in CEL, beside the Python that says the same.

A model's check and its rule are written side by side, with one problem and one remedy, so that `kubectl apply` and
`afray validate` refuse the same manifests with the same words. Rules of a type are part of its annotation; rules of a
block and between blocks are in `afray.api.crd`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import GetJsonSchemaHandler, JsonValue
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

VALIDATIONS: Final = "x-kubernetes-validations"
INT_OR_STRING: Final = "x-kubernetes-int-or-string"
SCHEMALESS: Final = "x-kubernetes-preserve-unknown-fields"
Cause = Literal["FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired", "FieldValueDuplicate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A CEL expression that holds for a good value (`self`), and what to tell whoever breaks it."""

    rule: str
    problem: str
    remedy: str
    field: str = ""
    """Path of the field at fault below `self`, such as .core.uri; empty for `self`."""
    cause: Cause = "FieldValueInvalid"
    says: str = ""
    """A CEL expression for the message, where it depends on the value; the fixed one stands in if it fails."""

    @property
    def message(self) -> str:
        """Problem and remedy."""
        return f"{self.problem}. {self.remedy}"

    def to_schema(self) -> dict[str, JsonValue]:
        """One entry of x-kubernetes-validations."""
        entry: dict[str, JsonValue] = {"rule": self.rule, "message": self.message}
        if self.says:
            entry["messageExpression"] = self.says
        if self.field:
            entry["fieldPath"] = self.field
        if self.cause != "FieldValueInvalid":
            entry["reason"] = self.cause
        return entry


class Checked:
    """Puts rules into the schema of a type: `Annotated[str, AfterValidator(check), Checked(RULE)]`."""

    def __init__(self, *rules: Rule) -> None:
        self._rules = rules

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The type's schema with its rules."""
        inner = handler(schema)
        return {**inner, VALIDATIONS: [*inner.get(VALIDATIONS, ()), *(rule.to_schema() for rule in self._rules)]}


def quote(value: object) -> str:
    """A text, number, truth value or list as CEL spells it."""
    return json.dumps(value, ensure_ascii=False)


def matches(pattern: str, subject: str = "self") -> str:
    """The expression that a text matches a pattern somewhere; the pattern must be one of RE2."""
    return f"{subject}.matches({quote(pattern)})"


def lacks(pattern: str, subject: str = "self") -> str:
    """The expression that a text matches a pattern nowhere."""
    return "!" + matches(pattern, subject)
