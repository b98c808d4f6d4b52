"""Blocks follow the memory that is left; too little of it is said before work starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from afray.algorithms.gemm import Compute
from afray.errors import Retryable
from afray.runtime import room
from afray.runtime.room import MEBIBYTE

GIBIBYTE = 2**30


def machine(root: Path, *, free: int, **group: object) -> Path:
    (root / "proc").mkdir()
    (root / "proc" / "meminfo").write_text(f"MemTotal: 99 kB\nMemAvailable:   {free // 1024} kB\n")
    (root / "sys/fs/cgroup").mkdir(parents=True)
    for name, value in group.items():
        (root / "sys/fs/cgroup" / name.replace("_", ".")).write_text(f"{value}\n")
    return root


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ({}, 8 * GIBIBYTE),
        ({"memory_max": "max", "memory_current": GIBIBYTE}, 8 * GIBIBYTE),
        ({"memory_max": 3 * GIBIBYTE, "memory_current": GIBIBYTE}, 2 * GIBIBYTE),
        (
            {
                "memory_max": 3 * GIBIBYTE,
                "memory_current": 2 * GIBIBYTE,
                "memory_stat": f"inactive_file {GIBIBYTE}\nactive_file {GIBIBYTE // 2}",
            },
            GIBIBYTE * 5 // 2,
        ),
        ({"memory_max": 99 * GIBIBYTE, "memory_current": GIBIBYTE}, 8 * GIBIBYTE),
    ],
)
def test_what_is_left_is_the_container_s_where_it_has_a_limit(
    tmp_path: Path, group: dict[str, object], expected: int
) -> None:
    assert room.available_bytes(machine(tmp_path, free=8 * GIBIBYTE, **group)) == expected


def test_much_memory_changes_nothing_and_little_shrinks_the_blocks() -> None:
    assert room.fit(64 * GIBIBYTE, 2, 250, 384) == Compute()
    little = room.fit(GIBIBYTE, 2, 250, 384)
    assert room.SMALLEST < little.memory < GIBIBYTE // 4


def test_too_little_memory_is_refused_with_what_there_is_what_it_takes_and_a_way_out() -> None:
    with pytest.raises(
        Retryable,
        match=r"300 MiB are left for 2 workers of one machine, 6,405 centres of 384 numbers need 5\d\d\. Run with",
    ):
        room.fit(300 * MEBIBYTE, 2, 6405, 384)


def test_this_machine_has_memory() -> None:
    assert room.available_bytes() > 50 * MEBIBYTE
