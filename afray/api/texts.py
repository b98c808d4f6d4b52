"""Names and other texts with one allowed spelling: the pattern an API server checks, and the words a person needs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from afray.api.cel import VALIDATIONS, Rule, matches
from afray.api.problems import broken


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """A pattern, and what to tell whoever missed it; put it into `Annotated[str, ...]`."""

    pattern: str
    longest: int
    problem: str
    remedy: str

    def __get_pydantic_core_schema__(self, source: type[str], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check after pydantic has found a text."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The same rule for an API server."""
        rule = Rule(rule=matches(self.pattern), problem=self.problem, remedy=self.remedy)
        bounds = {"pattern": self.pattern, "maxLength": self.longest}
        return {**handler(schema), **bounds, VALIDATIONS: [rule.to_schema()]}

    def check(self, text: str) -> str:
        """Return the text; raises a broken rule."""
        if not self._fits(text):
            raise broken("", text, self.problem, self.remedy + self._example(text))
        return text

    def _fits(self, text: str) -> bool:
        return len(text) <= self.longest and re.fullmatch(self.pattern, text) is not None

    def _example(self, text: str) -> str:
        repaired = re.sub("[^a-z0-9]+", "-", text.lower())[: self.longest].strip("-")
        return f" For example: {repaired}" if self._fits(repaired) else ""


_DOMAIN: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_QUALIFIED: Final = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"

JOB_NAME: Final = Spelling(
    pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$",
    longest=40,
    problem="is not a DNS-1035 label of at most 40 characters",
    remedy="Start with a lowercase letter, go on with lowercase letters, digits and '-'; pods are named after it.",
)
JobName = Annotated[str, JOB_NAME]

LabelName = Annotated[
    str,
    Spelling(
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        longest=63,
        problem="is not a DNS-1123 label of at most 63 characters",
        remedy="Use lowercase letters, digits and '-'.",
    ),
]

GroupName = Annotated[
    str,
    Spelling(
        pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$",
        longest=20,
        problem="is not a group name of at most 20 lowercase letters, digits and '-'",
        remedy="Use a short name such as gpu or cpu-spot.",
    ),
]

ObjectName = Annotated[
    str,
    Spelling(
        pattern=f"^{_DOMAIN}$",
        longest=253,
        problem="is not the name of a Kubernetes object",
        remedy="Use the name as `kubectl get` prints it: lowercase letters, digits, '-' and '.'.",
    ),
]

AccountName = Annotated[
    str,
    Spelling(
        pattern=f"^({_DOMAIN})?$",
        longest=253,
        problem="is not the name of a ServiceAccount",
        remedy="Use the name as `kubectl get` prints it: lowercase letters, digits, '-' and '.'.",
    ),
]

Sha256 = Annotated[
    str,
    Spelling(
        pattern=r"^[0-9a-f]{64}$",
        longest=64,
        problem="is not a sha256 digest",
        remedy="Write the 64 lowercase hexadecimal digits that `sha256sum FILE` prints, in quotes.",
    ),
]

Colour = Annotated[
    str,
    Spelling(
        pattern=r"^#[0-9a-fA-F]{6}$",
        longest=7,
        problem="is not a colour",
        remedy='Write "#rrggbb" in quotes, such as "#ffffff": without quotes YAML takes # for a comment.',
    ),
]

ContainerImage = Annotated[
    str,
    Spelling(
        pattern=r"^[a-z0-9][A-Za-z0-9._/:@-]*$",
        longest=500,
        problem="is not a container image",
        remedy="Write registry/name:tag or registry/name@sha256:digest, such as registry.example.com/afray:1.0.",
    ),
]

Version = Annotated[
    str,
    Spelling(
        pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$",
        longest=20,
        problem="is not a version of three numbers",
        remedy="Write the version of Ray in the image, such as 2.60.0; `ray --version` prints it.",
    ),
]

VariableName = Annotated[
    str,
    Spelling(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        longest=256,
        problem="is not the name of an environment variable",
        remedy="Use letters, digits and '_', not starting with a digit.",
    ),
]

VariablePrefix = Annotated[
    str,
    Spelling(
        pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$",
        longest=256,
        problem="can not start the name of an environment variable",
        remedy="Use letters, digits and '_', not starting with a digit.",
    ),
]

SecretKey = Annotated[
    str,
    Spelling(
        pattern=r"^[-._a-zA-Z0-9]+$",
        longest=253,
        problem="is not a key of a Secret or ConfigMap",
        remedy="Use letters, digits, '-', '_' and '.'.",
    ),
]

LabelKey = Annotated[
    str,
    Spelling(
        pattern=rf"^({_DOMAIN}/)?{_QUALIFIED}$",
        longest=317,
        problem="is not a label key",
        remedy="Write name or domain/name, such as kueue.x-k8s.io/queue-name.",
    ),
]

AnnotationKey = Annotated[
    str,
    Spelling(
        pattern=rf"^((?i:{_DOMAIN})/)?{_QUALIFIED}$",
        longest=317,
        problem="is not the key of an annotation",
        remedy="Write name or domain/name, such as team.example.com/note.",
    ),
]

LabelValue = Annotated[
    str,
    Spelling(
        pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
        longest=63,
        problem="is not a label value of at most 63 characters",
        remedy="Use letters, digits, '-', '_' and '.'.",
    ),
]

ResourceName = Annotated[
    str,
    Spelling(
        pattern=rf"^({_DOMAIN}/)?{_QUALIFIED}$",
        longest=317,
        problem="is not the name of a resource",
        remedy="Use a name such as cpu, memory, ephemeral-storage or nvidia.com/gpu.",
    ),
]
