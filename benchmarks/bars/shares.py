"""What the time of stage 2 is made of: printed, no bar. Steps are timed where `cluster_step` calls them."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch

from harness import Bar

from afray.algorithms import assignment, boundary, candidates, clusters, denoise, pairs
from bars import pools, products

STEPS: dict[str, tuple[ModuleType, str]] = {
    "assign": (assignment, "assign"),
    "  of it top candidates": (candidates, "merge_tile"),
    "gather": (clusters, "gather"),
    "pairs": (pairs, "measure"),
    "  of it rounding and certificate": (pairs, "round_table"),
    "denoise": (denoise, "remove_outliers"),
    "survey": (boundary, "survey"),
    "pick": (boundary, "pick"),
}
REPEATS = 3


def show() -> list[Bar]:
    """CPU seconds of the steps of paper mode, 5000 labels, one thread; the products beside them."""
    pool = pools.make(pools.MEDIUM)
    baselines = {
        "GEMM alone": products.gemm(pool.features, pool.features[pool.cores]),
        "syrk alone": products.syrk(pool),
    }
    spent: Counter[str] = Counter()
    pool.select()
    with _timed(spent):
        for _ in range(REPEATS):
            _call(spent, "stage 2", pool.select)
    for name, multiply in baselines.items():
        for _ in range(REPEATS):
            _call(spent, name, multiply)
    for name, seconds in sorted(spent.items(), key=lambda entry: [*STEPS, "stage 2", *baselines].index(entry[0])):
        print(f"   {name:34} {seconds / REPEATS:7.3f} CPU s", file=sys.stderr)
    return []


@contextmanager
def _timed(spent: Counter[str]) -> Iterator[None]:
    replaced = [patch.object(module, step, _timing(spent, name)) for name, (module, step) in STEPS.items()]
    for each in replaced:
        each.start()
    try:
        yield
    finally:
        for each in replaced:
            each.stop()


def _timing(spent: Counter[str], name: str) -> Callable[..., Any]:
    module, step = STEPS[name]
    original = getattr(module, step)
    return lambda *args, **kwargs: _call(spent, name, original, *args, **kwargs)


def _call(spent: Counter[str], name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    started = time.process_time()
    result = function(*args, **kwargs)
    spent[name] += time.process_time() - started  # type: ignore[assignment]
    return result
