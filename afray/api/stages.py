"""The parts that a job is run in on a cluster."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """A part of a job that gets a RayJob of its own."""

    select = "select"
    labels = "labels"
    finetune = "finetune"
