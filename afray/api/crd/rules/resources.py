"""Pods that Kubernetes, Kueue or Ray would refuse late or, worse, take as meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel

from afray.api.cel import Rule, lacks, quote
from afray.api.checks import Check, pods
from afray.api.cluster import HeadSpec, WorkerGroupSpec
from afray.api.crd.rules.placed import Placed
from afray.api.job import JobSpec
from afray.api.quantities import WHOLE_FROM
from afray.api.runtime import Variable

_GPU: Final = quote(pods.GPU)


def _of_pods(rule: Rule) -> tuple[Placed, ...]:
    blocks: tuple[type[BaseModel], ...] = (HeadSpec, WorkerGroupSpec)
    return tuple(Placed(block=block, rule=rule) for block in blocks)


def _in_spec(rule: Rule) -> Placed:
    return Placed(block=JobSpec, rule=rule)


def _missing(resource: str, example: str) -> Rule:
    return Rule(
        rule=f"{quote(resource)} in self.resources",
        field=f".resources['{resource}']",
        cause="FieldValueRequired",
        problem="is required",
        remedy=f"Add {resource}: {example}.",
    )


def _quantity(resource: str) -> tuple[str, str]:
    """The expressions that a resource is absent or not to be read (which another rule says), and its quantity."""
    text = f"string(self.resources[{resource}])"
    return f"!({resource} in self.resources) || !isQuantity({text})", f"quantity({text})"


def _is_whole(resource: str) -> str:
    unread, quantity = _quantity(resource)
    number = f"{quantity}.asApproximateFloat()"
    return f"{unread} || {number} >= {WHOLE_FROM} || double(int({number})) == {number}"


def _memory() -> Rule:
    unread, quantity = _quantity("'memory'")
    return Rule(
        rule=f"{unread} || !{quantity}.isLessThan(quantity('64Mi'))",
        field=".resources['memory']",
        problem="is less than 64Mi",
        remedy="Add a unit, such as 4Gi: without one it is bytes, and m is a thousandth.",
    )


def _part_of_a_device(rule: str, field: str) -> Rule:
    return Rule(rule=rule, field=field, problem="is not a whole number of devices", remedy="Ask for whole devices.")


WHOLE_GPUS = _part_of_a_device(_is_whole(_GPU), f".resources[{_GPU}]".replace('"', "'"))
WHOLE_DEVICES = _part_of_a_device(
    f"self.resources.all(name, !name.contains('/') || name == {_GPU} || {_is_whole('name')})", ".resources"
)
RESERVED_GROUP = Rule(
    rule=f"!(self.name in {quote(pods.RESERVED_GROUPS)})",
    field=".name",
    problem="is reserved",
    remedy="Use another name, such as gpu or cpu.",
)
GROUP_IS_MISSING = Rule(
    rule="!has(self.finetune) || has(self.finetune.workers.group) || self.cluster.workers.size() < 2",
    field=".finetune.workers.group",
    cause="FieldValueRequired",
    problem="is required beside several worker groups",
    remedy="Add group: the name of one of spec.cluster.workers.",
)
GROUP_IS_UNKNOWN = Rule(
    rule=(
        "!has(self.finetune) || !has(self.finetune.workers.group)"
        " || self.cluster.workers.exists(w, w.name == self.finetune.workers.group)"
    ),
    field=".finetune.workers.group",
    problem="is not a worker group of spec.cluster",
    remedy="Use the name of one of spec.cluster.workers.",
)
DEVICE_OF_A_MAC = Rule(
    rule="self.embedding.device != 'mps'",
    field=".embedding.device",
    problem="exists on a Mac, not in a pod",
    remedy="Use auto, cuda or cpu.",
)
CUDA_WITHOUT_A_GPU = Rule(
    rule=(
        "self.embedding.device != 'cuda' || self.cluster.workers.exists(w, "
        f"{_GPU} in w.resources && isQuantity(string(w.resources[{_GPU}]))"
        f" && quantity(string(w.resources[{_GPU}])).isGreaterThan(quantity('0')))"
    ),
    field=".embedding.device",
    problem=f"needs {pods.GPU}, and no worker group asks for it",
    remedy=f'Add {pods.GPU}: "1" to the resources of a worker group, or use device: auto.',
)
RESERVED_VARIABLE = Rule(
    rule=f"!self.name.startsWith({quote(pods.RESERVED_VARIABLES)})",
    field=".name",
    problem=f"starts with {pods.RESERVED_VARIABLES}, which is reserved",
    remedy="Rename it.",
)
SECRET_IN_CLEAR = Rule(
    rule=(
        "!has(self.value) || self.value == '' || "
        + lacks(f"({'|'.join(pods.SECRET_ENDINGS)})$", "self.name.upperAscii()")
    ),
    field=".value",
    cause="FieldValueForbidden",
    problem="gives a secret in clear",
    remedy="Put it into a Secret: valueFrom: {secretKeyRef: {name: ..., key: ...}}.",
    says=(
        "'gives the secret ' + self.name + "
        "' in clear. Put it into a Secret: valueFrom: {secretKeyRef: {name: ..., key: ' + self.name + '}}.'"
    ),
)
RULES: Final[Mapping[Check, tuple[Placed, ...]]] = {
    pods.resources_are_missing: (*_of_pods(_missing("cpu", '"8"')), *_of_pods(_missing("memory", "32Gi"))),
    pods.memory_without_a_unit: _of_pods(_memory()),
    pods.part_of_a_device: (*_of_pods(WHOLE_GPUS), *_of_pods(WHOLE_DEVICES)),
    pods.reserved_group_name: (Placed(block=WorkerGroupSpec, rule=RESERVED_GROUP),),
    pods.finetune_group_is_unknown: (_in_spec(GROUP_IS_MISSING), _in_spec(GROUP_IS_UNKNOWN)),
    pods.device_that_no_worker_has: (_in_spec(DEVICE_OF_A_MAC), _in_spec(CUDA_WITHOUT_A_GPU)),
    pods.reserved_variable: (Placed(block=Variable, rule=RESERVED_VARIABLE),),
    pods.secret_in_clear: (Placed(block=Variable, rule=SECRET_IN_CLEAR),),
}
