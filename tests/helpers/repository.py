"""The checkout as guard tests see it: its files, its modules and its documents."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUNDLED_TOOLS = ROOT / ".venv" / "bin"

FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|(?:src|href|srcset)=\"([^\"]+)\"")


def repository_files() -> list[Path]:
    """Files under version control; in an unpacked archive, whatever .gitignore does not name."""
    tracked = tracked_names() or unignored_names()
    return [path for name in sorted(tracked) if (path := ROOT / name).is_file()]


def tracked_names() -> set[str]:
    """What git knows; nothing if this is no checkout."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return set()
    listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    return set(listed.stdout.split("\0")) - {""}


def unignored_names() -> set[str]:
    """Files in folders that .gitignore does not name."""
    lines = (ROOT / ".gitignore").read_text().splitlines()
    ignored = [".git", *(line.strip("/") for line in lines if not line.startswith("#"))]
    relative = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return {str(path) for path in relative if not any(fnmatch(part, name) for part in path.parts for name in ignored)}


def modules() -> list[Path]:
    """Source files of the package."""
    return sorted((ROOT / "afray").rglob("*.py"))


def documents() -> list[Path]:
    """Pages for people."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def code_blocks(text: str, *languages: str) -> list[str]:
    """Fenced blocks of a page, those of some languages or all."""
    return [block["text"] for block in FENCE.finditer(text) if not languages or block["language"] in languages]


def code_lines(text: str) -> Iterator[str]:
    """Everything that a page shows as code: lines of fenced blocks, and spans within sentences."""
    for block in code_blocks(text):
        yield from block.splitlines()
    yield from SPAN.findall(FENCE.sub("", text))


def link_targets(text: str) -> list[str]:
    """Targets of a page's links and pictures, code left out."""
    prose = SPAN.sub("", FENCE.sub("", text))
    return [target for found in LINK.findall(prose) for target in found if target]


def say(path: Path) -> str:
    """A path as messages name it."""
    return str(path.relative_to(ROOT))
