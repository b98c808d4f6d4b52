"""Namespaces of tests: named after the test, so that what is left in a cluster says whose it is."""

from __future__ import annotations

import itertools
import re

from testbed.kubectl import Kubectl

LONGEST_NAME = 50
"""Characters: names of pods in it are longer still."""
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
_numbers = itertools.count(1)


def new_namespace(kubectl: Kubectl, test: str) -> str:
    """Create a namespace under Pod Security `restricted` for the test of this name, and return its name."""
    words = re.sub(r"[^a-z0-9]+", "-", test.lower().removeprefix("test_"))
    name = f"t{next(_numbers)}-{words}"[:LONGEST_NAME].strip("-")
    metadata = {"name": name, "labels": RESTRICTED}
    kubectl.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    return name
