"""The one place that names numba, so that compiled kernels keep their Python types for the reader and for mypy.

No reassociation and no fused multiply-add: the exactness rule needs each operation rounded alone, in written order.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")

# Lanes written out as eight variables become one vector register (twice the speed); no operation moves or merges.
numba.config.SLP_VECTORIZE = 1


def _digest_kernels() -> str:
    """sha256 over all modules of the package that hold kernels."""
    package = Path(__file__).parents[1]
    sources = [module.read_bytes() for module in sorted(package.rglob("*.py"))]
    return hashlib.sha256(b"".join(source for source in sources if b"@compiled" in source)).hexdigest()


def _cache_folder() -> Path:
    """Where machine code is kept: one folder per state of all kernels.

    numba looks for changes in a kernel's own module only, and would go on using code with old versions of the kernels
    that it calls inlined. A folder beside the sources may also be read-only.
    """
    caches = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(caches) / "afray" / "kernels" / _digest_kernels()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # no home, or a read-only one
        return Path(tempfile.gettempdir()) / f"afray-kernels-{os.getuid()}" / folder.name
    return folder


numba.config.CACHE_DIR = str(_cache_folder())


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile on first use, release the GIL, keep the machine code on disk."""
    return cast("Callable[P, R]", numba.njit(nogil=True, cache=True)(function))


def compiled_scan(function: Callable[P, R]) -> Callable[P, R]:
    """Like `compiled`, for kernels that only compare floats and meet no NaN: maxima vectorise, no value changes."""
    return cast("Callable[P, R]", numba.njit(nogil=True, cache=True, fastmath={"nnan", "nsz"})(function))
