"""Starting and stopping Ray: the cluster we run in, or an embedded one on this machine."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

# Read by Ray when it is imported.
os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # our crew reports them
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # leave CUDA_VISIBLE_DEVICES alone on CPU actors
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")

import ray

from afray.errors import Retryable
from afray.runtime import room

ADDRESS = "RAY_ADDRESS"
CONNECT_SECONDS = 10.0
SMALLEST_STORE, LARGEST_STORE = 2**29, 2**31
"""Bytes of the object store: memory is taken as it fills. Centres, assignments and lists of a round pass through it;
pixels and vectors never do."""
STORE_SHARE = 0.25
"""Of what memory is left."""
MALLOC = {"arena_max": 1, "hugetlb": 1, "mmap_threshold": 2**30, "trim_threshold": 2**32}
TUNABLES, TUNED = "GLIBC_TUNABLES", ":".join(f"glibc.malloc.{name}={value}" for name, value in MALLOC.items())
"""Read by the C library of a worker when it starts. Layers of a model take and free the same megabytes for every batch:
memory stays with the process instead of going back to the system, in huge pages where there are any. Measured: a third
more images per second."""


def usable_cpus() -> int:
    """CPUs this process may use (container limits included, unlike os.cpu_count)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def ray_session(workers: int) -> Iterator[None]:
    """A Ray session: the one at hand, the cluster that RAY_ADDRESS names, or an embedded one of `workers` CPUs."""
    if ray.is_initialized():
        yield
        return
    if address := os.environ.get(ADDRESS):
        _require_answer(address, "Correct it, or unset it to run on this machine alone")
        _connect(address)
    else:
        _start(workers)
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def cluster_session() -> Iterator[None]:
    """The Ray cluster whose head this process runs on. Raises Retryable if none answers."""
    address = os.environ.get(ADDRESS, "auto")
    _require_answer(address, "The head's log says why; the next attempt gets another head")
    _connect(address)
    try:
        yield
    finally:
        ray.shutdown()


def _start(workers: int) -> None:
    os.environ.setdefault(TUNABLES, TUNED)  # its workers inherit it; telling Ray itself costs a second at the start
    try:
        ray.init(
            address="local",
            num_cpus=workers,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=min(LARGEST_STORE, max(SMALLEST_STORE, int(STORE_SHARE * room.available_bytes()))),
        )
    except ValueError:
        raise  # a setting of this program is wrong
    except Exception as error:  # Ray's processes were too slow or died: it has no type of its own for that
        ray.shutdown()
        raise Retryable(
            f"Ray did not start on this machine ({_reason(error)}). Run again when the machine is less busy; if "
            "that does not help, see whether memory or the disk of temporary files is full"
        ) from error


def _connect(address: str) -> None:
    try:
        tuned = {"env_vars": {TUNABLES: TUNED}}
        ray.init(address=address, runtime_env=tuned, log_to_driver=False, logging_level=logging.ERROR)
    except ValueError:
        raise  # the address means nothing to Ray
    except Exception as error:  # refused, or timed out in one of many ways
        ray.shutdown()
        raise Retryable(f"{ADDRESS} {address}: no Ray cluster to work in ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    return str(error).strip() or type(error).__name__


def _require_answer(address: str, remedy: str) -> None:
    """Raise Retryable if nothing listens at a `host:port`; Ray itself would try for many minutes."""
    host, _, port = address.rpartition(":")
    if "/" in host or not port.isdecimal():
        return  # such as auto: only Ray knows where that is
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        raise Retryable(f"{ADDRESS} {address}: no Ray cluster answers there ({error}). {remedy}") from None
