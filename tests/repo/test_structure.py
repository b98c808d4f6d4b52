"""The shape of the code: what a module may be called, how long it may get, what it must say, what it may import."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from helpers.repository import ROOT, modules, say

LONGEST_MODULE = 300
LONGEST_FUNCTION = 45
SLOW_TO_IMPORT = frozenset(
    ("torch", "ray", "numpy", "pyarrow", "numba", "sklearn", "scipy", "plotly", "timm", "torchvision", "PIL", "jinja2")
)


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def function_lengths(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


def run_python(code: str, *options: str) -> str:
    ended = subprocess.run([sys.executable, *options, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_operator_is_a_plain_folder_if_it_is_there() -> None:
    # As a package it would shadow the standard library's module for every process that starts in the root.
    assert not (ROOT / "operator" / "__init__.py").exists()


def test_the_standard_library_operator_is_found_from_the_root() -> None:
    printed = run_python("import operator; print(operator.itemgetter(1)('ab'), operator.__file__)")
    assert printed.startswith("b ")
    assert str(ROOT) not in printed


def test_no_module_hides_one_of_the_standard_library_in_its_own_folder() -> None:
    # `python afray/x/y.py` and a debugger put the module's folder first on the path.
    top_level = {path.name.removesuffix(".py") for path in ROOT.iterdir()} - {"operator"}
    assert top_level & sys.stdlib_module_names == set()


def test_every_folder_of_the_package_is_a_package() -> None:
    folders = {path.parent for path in modules()}
    assert [say(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_every_module_says_why_it_exists() -> None:
    assert [say(path) for path in modules() if not ast.get_docstring(parse(path))] == []


def test_modules_are_short_enough_to_read() -> None:
    lengths = {say(path): len(path.read_text().splitlines()) for path in modules()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE} == {}


def test_functions_are_short_enough_to_read() -> None:
    lengths = {f"{say(path)}: {name}": lines for path in modules() for name, lines in function_lengths(parse(path))}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}


def test_the_length_of_a_method_counts_from_def_to_its_last_line() -> None:
    source = "class A:\n    @property\n    def f(self):\n        x = (\n            1\n        )\n\n    y = 1\n"
    assert dict(function_lengths(ast.parse(source))) == {"f": 4}


def test_the_command_line_starts_without_the_data_plane() -> None:
    printed = run_python("import json, sys, afray.cli.main; print(json.dumps(sorted(sys.modules)))")
    assert SLOW_TO_IMPORT & set(json.loads(printed)) == set()


def test_a_job_on_vectors_runs_without_torch_and_without_what_only_labels_need() -> None:
    # Each import costs seconds, in the driver and once more in every worker.
    code = "import json, sys, afray.driver.pipeline, afray.driver.verifying, afray.driver.machine"
    printed = run_python(f"{code}; print(json.dumps(sorted(sys.modules)))")
    assert {"torch", "sklearn", "ray.train"} & set(json.loads(printed)) == set()
