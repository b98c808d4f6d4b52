"""Fetch Fashion-MNIST (MIT licence) and write it as the image files and label tables of a pool.

    python examples/fashion_mnist.py demo/fashion-mnist --train 10000

writes pool/, pool-labels.csv, heldout/ and heldout-labels.csv. The set comes from Debian's package
dataset-fashion-mnist; on a machine without apt, from the files its authors publish. Either way the bytes are checked.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import track

PACKAGE = "dataset-fashion-mnist"
PUBLISHED = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
INSTALLED = Path("/usr/share/datasets/fashion-mnist")
CACHE = Path.home() / ".cache" / "afray" / "fashion-mnist"
SHA256 = {  # of the unpacked files
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
CLASSES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")

console = Console(stderr=True)


def fetch(name: str) -> bytes:
    """Contents of one file of the set, from the cache or the first source that has it."""
    for folder in (CACHE, INSTALLED):
        packed = folder / f"{name}.gz"
        if packed.exists():
            data = gzip.decompress(packed.read_bytes())
            if hashlib.sha256(data).hexdigest() == SHA256[name]:
                return data
    fill_cache(name)
    return fetch_checked(name)


def fetch_checked(name: str) -> bytes:
    """Contents of a file just cached; stops the script when they are not what was expected."""
    packed = CACHE / f"{name}.gz"
    data = gzip.decompress(packed.read_bytes())
    if (found := hashlib.sha256(data).hexdigest()) != SHA256[name]:
        packed.unlink()
        sys.exit(
            f"{name}: sha256 {found}, expected {SHA256[name]}; the source changed or the download broke, try again"
        )
    return data


def fill_cache(name: str) -> None:
    """Put the packed file into the cache, from Debian's package or the authors' site."""
    CACHE.mkdir(parents=True, exist_ok=True)
    if shutil.which("apt-get") and from_debian():
        return
    console.print(f"fetching {name} from {PUBLISHED}")
    with urllib.request.urlopen(f"{PUBLISHED}/{name}.gz", timeout=60) as answer:
        (CACHE / f"{name}.gz").write_bytes(answer.read())


def from_debian() -> bool:
    """Unpack Debian's package into the cache, without installing it; False if apt cannot get it."""
    console.print(f"fetching Debian's {PACKAGE}")
    with tempfile.TemporaryDirectory() as folder:
        if not download(folder):
            subprocess.run(["apt-get", "update", "-qq"], check=False, capture_output=True)
            if not download(folder):
                return False
        package = next(Path(folder).glob("*.deb"))
        subprocess.run(["dpkg", "-x", package, folder], check=True)
        for packed in Path(folder).rglob("*-ubyte.gz"):
            shutil.copy(packed, CACHE / packed.name)
    return True


def download(folder: str) -> bool:
    """Ask apt for the package file; False if it has none."""
    command = ["apt-get", "download", "-qq", PACKAGE]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True).returncode == 0


def read_set(prefix: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(n, 28, 28) images and (n,) labels, from IDX files with headers of 16 and 8 bytes."""
    images = np.frombuffer(fetch(f"{prefix}-images-idx3-ubyte"), np.uint8, offset=16).reshape(-1, 28, 28)
    return images, np.frombuffer(fetch(f"{prefix}-labels-idx1-ubyte"), np.uint8, offset=8)


def write_pool(folder: Path, table: Path, prefix: str, rows: NDArray[np.int64]) -> None:
    """Write `rows` of a set as PNG files in nested folders, and their labels; files that exist stay."""
    images, labels = read_set(prefix)
    ids = [f"{row // 1000:02d}/{row:05d}.png" for row in rows]
    for row, name in track(list(zip(rows, ids, strict=True)), f"writing {folder}", console=console):
        path = folder / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(images[row]).save(path)
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "label"])
        writer.writerows((name, CLASSES[labels[row]]) for row, name in zip(rows, ids, strict=True))


def main(
    folder: Path,
    train: Annotated[int, typer.Option(help="Images of the pool, drawn from the 60,000 training images.")] = 10_000,
    heldout: Annotated[int, typer.Option(help="Images of the held-out set, of the 10,000 test images.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
) -> None:
    """Write Fashion-MNIST as image files below FOLDER."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = np.sort(np.random.RandomState(seed).permutation(60_000)[:train])
    write_pool(folder / "pool", folder / "pool-labels.csv", "train", drawn)
    write_pool(folder / "heldout", folder / "heldout-labels.csv", "t10k", np.arange(heldout))


if __name__ == "__main__":
    typer.run(main)
