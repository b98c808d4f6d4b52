from __future__ import annotations

from typing import Any

from helpers.manifests import cluster_manifest, problems_of

from afray.api.rules import Target


def test_a_manifest_that_is_nested_without_end_is_refused_with_a_word_about_it() -> None:
    deep: Any = {}
    for _ in range(400):
        deep = {"a": deep}
    (problem,) = problems_of(cluster_manifest({"spec.cluster.head.template": {"spec": deep}}), Target.cluster)
    assert problem.problem == "is nested too deeply"
