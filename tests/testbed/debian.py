"""Packages of the operating system that a cluster needs: containers, networks, images. Installed when missing."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from testbed.commands import run
from testbed.steps import StepFailed, step

PROGRAMS = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
}
"""What must be there, and the package that brings it."""
INSTALL = ("apt-get", "install", "--yes", "--no-install-recommends")
ADDRESS = re.compile(r"^(?:URIs:|deb(?: \[[^]]*\])?) *(\S+/debian/?)(?=\s|$)", re.MULTILINE)
"""Of Debian itself, in both forms of source lists."""
NO_INDEX = "see that this machine reaches its Debian mirror, then run this again"


def missing() -> list[str]:
    """Return the packages whose programs are not there."""
    return sorted({package for name, package in PROGRAMS.items() if shutil.which(name, path=_path()) is None})


def require() -> None:
    """Install what is missing. Raises StepFailed on machines without apt, or without the right to use it."""
    packages = missing()
    if not packages:
        return
    title, remedy = f"installing {' '.join(packages)}", f"install these programs by hand: {' '.join(packages)}"
    if shutil.which("apt-get") is None:
        raise StepFailed(title, "this machine has no apt-get", remedy)
    if os.geteuid() != 0:
        raise StepFailed(title, "only root may install packages", f"{remedy}, or run this as root")
    with step(title):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update"], remedy=NO_INDEX, environment=environment)
        run([*INSTALL, *packages], remedy=NO_INDEX, environment=environment)


def mirror() -> str:
    """Return the address from which this machine's own packages come."""
    folder = Path("/etc/apt")
    for source in sorted((*folder.glob("sources.list.d/*.sources"), *folder.glob("**/*.list"))):
        if source.is_file() and (found := ADDRESS.search(source.read_text())):
            return found[1]
    raise StepFailed(
        "looking for a Debian mirror", "no source list below /etc/apt names one", "add one, see sources.list(5)"
    )


def _path() -> str:
    """Where daemons are installed too: not every user's PATH has the folders of the administrator."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
