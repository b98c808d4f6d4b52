"""The parts that a job is run in on a cluster."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """A part of a job that gets a RayJob of its own."""

    previous = "previous"
    """Labels of the round before: are they the answers to its rows?"""
    select = "select"
    labels = "labels"
    """Labels of the selected rows: can they be trained on?"""
    finetune = "finetune"

    @property
    def checks_labels(self) -> bool:
        """Whether it only looks at a label file: without workers, without GPUs, and nothing is written but a log."""
        return self in (Stage.previous, Stage.labels)
