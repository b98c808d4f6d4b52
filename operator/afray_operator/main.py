"""`afray-operator`: wait for the Lease, then watch and reconcile until it is lost or the process is told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from enum import StrEnum
from typing import Annotated, Final

import typer
from prometheus_client import disable_created_metrics

from afray import __version__
from afray_operator import logs
from afray_operator.lease import LeaseSettings
from afray_operator.service import OperatorSettings, run_operator

log = logging.getLogger(__name__)

DEEPEST_JSON: Final = 20_000
"""Levels that are parsed. The API server stores 10,000, in a pod template for one; Python by itself gives up at 1,000,
and so one user's object would keep the operator from reading those of all others. These take 3 MB of the stack."""


class LogFormat(StrEnum):
    """How log lines look."""

    json = "json"
    text = "text"


def _lease(text: str) -> tuple[str, str]:
    namespace, slash, name = text.partition("/")
    if not (namespace and slash and name):
        raise typer.BadParameter(f"{text!r} is not NAMESPACE/NAME")
    return namespace, name


def _run(
    lease: Annotated[str, typer.Option(help="NAMESPACE/NAME of the Lease.")] = "default/afray",
    namespace: Annotated[
        list[str] | None, typer.Option(help="Watch this namespace; repeat for more. None: all.")
    ] = None,
    lease_duration: Annotated[int, typer.Option(min=1, help="Seconds.")] = 15,
    renew_deadline: Annotated[int, typer.Option(min=1, help="Seconds.")] = 10,
    retry_period: Annotated[int, typer.Option(min=1, help="Seconds.")] = 2,
    claim_duration: Annotated[int, typer.Option(min=5, help="Seconds that a namespace is this release's.")] = 900,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Jobs that are worked on at once.")] = 4,
    resync_seconds: Annotated[float, typer.Option(min=10, help="Between full listings.")] = 300.0,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of /metrics, /healthz, /readyz.")] = 8080,
    log_level: Annotated[str, typer.Option(help="debug, info, warning, error.")] = "info",
    log_format: Annotated[LogFormat, typer.Option(help="Form of the log.")] = LogFormat.json,
) -> None:
    """Watch SelectionJobs and run each on a Ray cluster through KubeRay."""
    logs.set_up(as_json=log_format is LogFormat.json, level=log_level)
    lease_namespace, lease_name = _lease(lease)
    settings = OperatorSettings(
        lease=LeaseSettings(
            name=lease_name,
            namespace=lease_namespace,
            identity=f"{os.environ.get('POD_NAME') or socket.gethostname()}-{os.getpid()}",
            duration=lease_duration,
            renew_deadline=renew_deadline,
            retry_period=retry_period,
        ),
        claim_seconds=claim_duration,
        namespaces=tuple(namespace or ()),
        workers=workers,
        resync_seconds=resync_seconds,
        port=port,
    )
    log.info("afray operator %s", __version__)
    asyncio.run(_until_stopped(settings))


async def _until_stopped(settings: OperatorSettings) -> None:
    """Run; SIGTERM and SIGINT end it in order, so that the Lease is handed on."""
    running = asyncio.ensure_future(run_operator(settings))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        log.info("stopped")
    except Exception as error:
        log.exception("the operator ends: %s. It starts anew, and goes on where it stood", _first_cause(error))
        logging.shutdown()
        os._exit(1)  # whatever still runs must not write any more, and may not end when asked


def _first_cause(error: BaseException) -> str:
    """One line out of a group of errors."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


def main() -> None:
    """Entry point of the command."""
    sys.setrecursionlimit(DEEPEST_JSON)
    # A second series beside each of every counter and histogram, which nobody asks for.
    disable_created_metrics()  # type: ignore[no-untyped-call] # it is not annotated
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(_run)
    app()


if __name__ == "__main__":
    main()
