"""`make generate`: writes every file that follows from the models. A test compares them, so none can go stale."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from afray.api import reference
from afray.api.crd import definition

FILES: Final[Mapping[Path, Callable[[], str]]] = {
    Path("crds") / f"{definition.NAME}.yaml": definition.render,
    Path("charts/afray/templates/crd.yaml"): definition.render_template,
    Path("docs/spec.md"): reference.render,
}


def write(root: Path) -> None:
    """Write them below `root`, the repository."""
    for path, render in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(render(), encoding="utf-8")
        sys.stderr.write(f"wrote {path}\n")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
