"""One driver from its environment to its exit code."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

from afray import __version__
from afray.contract.environment import DriverEnvironment, Turn
from afray.contract.names import Stage
from afray.driver.logbook import FORMAT
from afray.driver.on_cluster.config_map import ConfigMapSink
from afray.driver.on_cluster.display import ClusterDisplay
from afray.driver.on_cluster.failures import find_cause
from afray.driver.on_cluster.state import DriverState, Result
from afray.driver.on_cluster.task import check_versions, run_settings
from afray.driver.on_cluster.termination import EXIT_CODE, Termination
from afray.driver.on_cluster.writer import ProgressWriter, Sink
from afray.errors import EnvironmentFault, Fenced

log = logging.getLogger(__name__)

OpenSink = Callable[[str], Sink]


def run_driver(variables: Mapping[str, str], open_sink: OpenSink = ConfigMapSink) -> int:
    """Do what the environment says; returns the exit code. For the main thread of a process of its own."""
    termination = Termination()
    with _logging_to_stdout(), termination.handled():
        try:
            return _run(variables, open_sink, termination)
        except BaseException:
            if not termination.requested:
                raise
            log.warning("told to stop (SIGTERM); finished work is kept")
            return EXIT_CODE


def _run(variables: Mapping[str, str], open_sink: OpenSink, termination: Termination) -> int:
    try:
        turn = Turn.from_variables(variables)
    except EnvironmentFault as error:
        log.error("%s", error)
        return error.exit_code
    state = DriverState(turn)
    if not turn.progress:
        return _conclude(variables, state, termination, silence=lambda: None)
    with ProgressWriter(state, open_sink(turn.progress)) as writer:
        return _conclude(variables, state, termination, silence=writer.silence)


def _conclude(
    variables: Mapping[str, str], state: DriverState, termination: Termination, *, silence: Callable[[], None]
) -> int:
    """Work, and put the outcome into the state: the last word, unless it is another driver's."""
    try:
        state.finish(_work(DriverEnvironment.from_variables(variables), state, termination))
    except Exception as error:
        if termination.requested:
            silence()
            raise
        cause = find_cause(error)
        log.error("%s: %s", cause.reason, error, exc_info=not cause.is_foreseen)
        if isinstance(error, Fenced):
            silence()
        state.fail(cause.to_failure(state.log_uri))
        return cause.exit_code
    except BaseException:
        silence()
        raise
    return 0


def _work(environment: DriverEnvironment, state: DriverState, termination: Termination) -> Result:
    """The stage's result. Raises any AfrayError, and whatever nobody foresaw."""
    log.info("afray %s, %s of %s, attempt %d", __version__, environment.stage, environment.job.metadata.name,
             environment.attempt)  # fmt: skip
    check_versions(environment)
    settings = run_settings(environment)
    has_gpus = any(group.slot.gpus for group in settings.groups)
    state.work_on("cuda" if has_gpus else "cpu" if settings.groups else "")
    # The libraries that do the work take seconds to load; what can be refused has been by now.
    from afray.driver import workspace
    from afray.driver.on_cluster.stages import STAGES

    with (
        _session(environment.stage, termination),
        workspace.opened(environment.job, settings, ClusterDisplay(state)) as surroundings,
    ):
        state.own(surroundings.fence.epoch, surroundings.log_uri)
        return STAGES[environment.stage](surroundings)


def _session(stage: Stage, termination: Termination) -> AbstractContextManager[None]:
    return nullcontext() if stage.checks_labels else _ray(termination)


@contextmanager
def _ray(termination: Termination) -> Iterator[None]:
    from afray.runtime.session import cluster_session

    with cluster_session():
        termination.take_signal()
        yield


@contextmanager
def _logging_to_stdout() -> Iterator[None]:
    """Everything that afray logs, for `kubectl logs`; the output's log begins only once there is an output."""
    logger, handler = logging.getLogger("afray"), logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter(FORMAT))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
