"""The grammar and the algorithms know the same methods; neither may import the other."""

from __future__ import annotations

from typing import get_args

from afray.algorithms import methods
from afray.api import selection
from afray.api.checks.selection import CORE_SETTINGS, LEFT_TO_OTHER_METHODS


def test_the_methods_of_the_grammar_are_those_of_the_algorithms() -> None:
    assert get_args(selection.Method) == get_args(methods.Method)
    assert get_args(selection.CoreMethod) == get_args(methods.CoreMethod)


def test_every_method_says_which_settings_it_reads() -> None:
    assert set(CORE_SETTINGS) == set(get_args(selection.CoreMethod))
    assert {"bilaf", *LEFT_TO_OTHER_METHODS} == set(get_args(selection.Method))
