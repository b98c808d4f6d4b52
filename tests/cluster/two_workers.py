"""The program of a RayJob: each of two workers with a GPU says on which node it runs."""

from __future__ import annotations

import os
import sys

import ray


def where() -> str:
    return os.environ["NODE"]


if __name__ == "__main__":
    ray.init()
    task = ray.remote(num_gpus=1, scheduling_strategy="SPREAD")(where)
    sys.stdout.write(f"workers on {sorted(ray.get([task.remote(), task.remote()]))}\n")
