"""The host's way into a cluster's network: a port of loopback whose connections are made from inside.

The process is started inside of the cluster's network with a socket of the host's: connections arrive on the host, and
leave in there. No interface, address or rule of the host is touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from pathlib import Path

from testbed.instances import Instance
from testbed.network import Network
from testbed.ports import HeldPort

CHUNK_BYTES = 1 << 16
PACKAGES = Path(__file__).resolve().parents[1]


def forward(instance: Instance, network: Network, port: HeldPort, address: str, to_port: int) -> None:
    """Let a port of loopback lead to an address inside, as long as the instance lives."""
    arguments = (str(port.descriptor), address, str(to_port))
    command = network.inside(sys.executable, "-m", "testbed.forwarding", *arguments)
    environment = os.environ | {"PYTHONPATH": str(PACKAGES)}
    instance.start(f"forward-{to_port}", command, environment=environment, inherits=[port.descriptor])


async def _serve(descriptor: int, address: str, port: int) -> None:
    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection(address, port)
        except OSError:  # nobody listens there now: so the host's client must see it
            writer.transport.abort()
            return
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))

    listener = socket.socket(fileno=descriptor)
    server = await asyncio.start_server(connect, sock=listener)
    await server.serve_forever()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
