"""Errors of the whole package: each has the exit code of its kind, and reaches another process as it is."""

from __future__ import annotations

import importlib
import pickle
import pkgutil
import re
from typing import get_type_hints

import pytest

import afray
from afray import errors
from afray.api.problems import Problem
from afray.errors import AfrayError, Retryable
from afray.pool.rows import Reason

PERMANENT = range(64, 70)
WORTH_A_RETRY = (74, 75)
PROBLEM = Problem(field="spec.seed", value="-1", problem="is below 0", remedy="Write 0.")
SAMPLES: dict[object, object] = {
    str: "s3://plant/a b/ü",
    int: 3,
    object: 2.5,
    str | None: None,
    Reason: Reason.missing,
    tuple[Problem, ...]: (PROBLEM,),
}
"""A value for each kind of argument that an error takes."""


@pytest.fixture(scope="module")
def exceptions() -> list[type[BaseException]]:
    """Every exception that a module of afray defines."""
    found = []
    for module in pkgutil.walk_packages(afray.__path__, "afray."):
        if not module.name.endswith("__main__"):
            defined = vars(importlib.import_module(module.name)).values()
            found += [kind for kind in defined if isinstance(kind, type) and kind.__module__ == module.name]
    return [kind for kind in found if issubclass(kind, BaseException)]


@pytest.fixture(scope="module")
def afray_errors(exceptions: list[type[BaseException]]) -> list[type[AfrayError]]:
    return [kind for kind in exceptions if issubclass(kind, AfrayError)]


def make(kind: type[BaseException]) -> BaseException:
    """An instance with a value of the right type for each argument."""
    if "__init__" not in {name for base in kind.__mro__ if base.__module__.startswith("afray") for name in vars(base)}:
        return kind("s3://plant/a: it is gone")
    hints = get_type_hints(kind.__init__)
    return kind(*(SAMPLES[hint] for name, hint in hints.items() if name != "return"))


def test_errors_of_every_layer_are_looked_at(afray_errors: list[type[AfrayError]]) -> None:
    layers = {kind.__module__.split(".")[1] for kind in afray_errors}
    assert {"errors", "api", "storage", "pool", "evaluation"} <= layers


def test_every_error_says_something_and_survives_pickling(exceptions: list[type[BaseException]]) -> None:
    for kind in exceptions:
        error = make(kind)
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is kind
        assert str(again) == str(error) != ""
        assert (again.args, vars(again)) == (error.args, vars(error))


def test_an_error_below_a_kind_keeps_its_exit_code(afray_errors: list[type[AfrayError]]) -> None:
    for kind in afray_errors:
        nearest = next(base for base in kind.__mro__ if base in vars(errors).values())
        assert kind.exit_code == vars(nearest)["exit_code"] or nearest is AfrayError, kind


def test_exit_codes_tell_whether_to_try_again(afray_errors: list[type[AfrayError]]) -> None:
    for kind in afray_errors:
        codes = WORTH_A_RETRY if issubclass(kind, Retryable) else (1, *PERMANENT)
        assert kind.exit_code in codes, kind


def test_the_drawing_of_the_tree_is_the_tree() -> None:
    drawn = re.findall(r"^.*?(\w+)  +(\d+)  ", errors.__doc__ or "", re.MULTILINE)
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AfrayError)]
    defined = [(kind.__name__, str(kind.exit_code)) for kind in kinds]
    assert drawn == defined
