"""The strategic merge of pod templates: Kubernetes' own keys, and laws that hold for any two templates."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from afray_operator.manifests.merging import MERGE_KEYS, merge
from hypothesis import given, settings
from hypothesis import strategies as st
from kubernetes.client import V1Container, V1PodSpec

LISTS = st.sampled_from(sorted(MERGE_KEYS))


def keyed(key: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    """A list whose entries have that key, each once."""
    entry = st.fixed_dictionaries({key: st.sampled_from(["a", "b", "c"])}, optional={"value": st.integers(0, 3)})
    return st.lists(entry, max_size=3, unique_by=lambda found: found[key])


@st.composite
def parts(draw: st.DrawFn) -> dict[str, Any]:
    """A part of a pod: scalars, mappings, lists that merge, lists that do not."""
    made: dict[str, Any] = draw(st.dictionaries(st.sampled_from(["x", "y"]), st.integers(0, 3)))
    made |= draw(st.dictionaries(st.just("tolerations"), st.lists(st.integers(0, 3), max_size=2)))
    made |= draw(st.dictionaries(st.just("nodeSelector"), st.dictionaries(st.sampled_from("ab"), st.integers(0, 3))))
    name = draw(LISTS)
    return made | draw(st.dictionaries(st.just(name), keyed(MERGE_KEYS[name]), max_size=1))


@pytest.mark.parametrize(
    ("base", "patch", "merged"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}, {"a": {"x": 1, "y": 3}}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"x": None}}, {"a": {"y": 2}}),
        ({}, {"a": {"x": None, "y": 1}}, {"a": {"y": 1}}),
        (
            {"containers": [{"name": "ray", "image": "a", "env": [{"name": "A", "value": "1"}]}]},
            {"containers": [{"name": "ray", "env": [{"name": "B", "value": "2"}]}, {"name": "logs"}]},
            {
                "containers": [
                    {"name": "ray", "image": "a", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
                    {"name": "logs"},
                ]
            },
        ),
        (
            {"env": [{"name": "A", "value": "1"}]},
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
        ),
        (
            {"volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}}]},
            {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]},
            {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]},
        ),
        (
            {"volumes": [{"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": "4Gi"}}]},
            {"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}]},
            {"volumes": [{"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}]},
        ),
        (
            {"volumeMounts": [{"name": "v", "mountPath": "/dev/shm"}]},
            {"volumeMounts": [{"name": "w", "mountPath": "/dev/shm"}, {"name": "v", "mountPath": "/x"}]},
            {"volumeMounts": [{"name": "w", "mountPath": "/dev/shm"}, {"name": "v", "mountPath": "/x"}]},
        ),
        (
            {"ports": [{"name": "metrics", "containerPort": 8080}]},
            {"ports": [{"name": "m", "containerPort": 8080}]},
            {"ports": [{"name": "m", "containerPort": 8080}]},
        ),
        ({"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "b"}]}, {"tolerations": [{"key": "b"}]}),
        ({"command": ["a", "b"]}, {"command": ["c"]}, {"command": ["c"]}),
        ({"containers": [{"name": "ray"}]}, {"containers": ["ray"]}, {"containers": ["ray"]}),
        ({"containers": [{"name": "ray"}]}, {"containers": [{"image": "x"}]}, {"containers": [{"image": "x"}]}),
        ({"containers": [{"name": "ray"}]}, {"containers": "ray"}, {"containers": "ray"}),
        ({"spec": 1}, {"spec": {"a": 1}}, {"spec": {"a": 1}}),
    ],
)
def test_a_template_is_laid_over_ours(base: Any, patch: Any, merged: Any) -> None:
    before = copy.deepcopy((base, patch))
    assert merge(base, patch) == merged
    assert (base, patch) == before


def test_every_key_is_of_a_list_that_pods_or_containers_have() -> None:
    known = set(V1PodSpec.attribute_map.values()) | set(V1Container.attribute_map.values())
    assert set(MERGE_KEYS) - known == set()
    both = set(V1PodSpec.attribute_map.values()) & set(V1Container.attribute_map.values())
    assert set(MERGE_KEYS) & both == set(), "one name would mean two lists"


@settings(deadline=None)
@given(parts())
def test_nothing_laid_over_changes_nothing(base: dict[str, Any]) -> None:
    assert merge(base, {}) == base


@settings(deadline=None)
@given(parts(), parts())
def test_laying_over_twice_is_laying_over_once(base: dict[str, Any], patch: dict[str, Any]) -> None:
    once = merge(base, patch)
    assert merge(once, patch) == once


@settings(deadline=None)
@given(parts(), parts())
def test_no_entry_is_lost_or_doubled_and_ours_come_first(base: dict[str, Any], patch: dict[str, Any]) -> None:
    merged: Any = merge(base, patch)
    for name, key in MERGE_KEYS.items():
        ours, theirs, all_of_them = ([found[key] for found in part.get(name, ())] for part in (base, patch, merged))
        assert all_of_them == ours + [at for at in theirs if at not in ours]


@settings(deadline=None)
@given(parts(), parts())
def test_what_the_template_says_wins(base: dict[str, Any], patch: dict[str, Any]) -> None:
    merged: Any = merge(base, patch)
    for name, value in patch.items():
        if name in MERGE_KEYS:
            at = {found[MERGE_KEYS[name]]: found for found in merged[name]}
            assert all(at[found[MERGE_KEYS[name]]].items() >= found.items() for found in value)
        elif isinstance(value, dict):
            assert merged[name].items() >= value.items()
        else:
            assert merged[name] == value
