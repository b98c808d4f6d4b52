"""Ports of loopback that stay ours: held by a socket that never listens, shared with the server that does.

Choosing a free port and hoping is a race between test processes; and a server that restarts must find its port again.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class HeldPort:
    """A port that nobody else gets. A server takes it with SO_REUSEPORT."""

    number: int
    _socket: socket.socket

    @classmethod
    def hold(cls) -> HeldPort:
        """Choose a free port and keep it."""
        holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind((LOOPBACK, 0))
        number: int = holder.getsockname()[1]
        return cls(number, holder)

    @property
    def descriptor(self) -> int:
        """The socket, for a child process that is to listen on it."""
        return self._socket.fileno()

    def release(self) -> None:
        """Let others have it."""
        self._socket.close()
