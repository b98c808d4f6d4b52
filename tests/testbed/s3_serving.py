"""The process of the S3 server: one state, two sockets, one of the host and one of the cluster's network."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server


def _serve(descriptor: int, address: str, port: int) -> None:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    application = DomainDispatcherApplication(create_backend_app)
    inside = make_server(address, port, application, threaded=True)
    threading.Thread(target=inside.serve_forever, daemon=True).start()
    socket.socket(fileno=os.dup(descriptor)).listen(128)
    make_server("127.0.0.1", 0, application, threaded=True, fd=descriptor).serve_forever()


if __name__ == "__main__":
    _serve(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
