"""The process of the S3 server: one state, two sockets, one of the host and one of the cluster's network.

In its folder it writes down every request as it is answered.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
from pathlib import Path

from moto.server import create_backend_app
from testbed.s3_faults import Faults
from testbed.s3_loading import Loading
from werkzeug.serving import WSGIRequestHandler, make_server

RECORD = Path("s3-requests.jsonl")


class Recorder(WSGIRequestHandler):
    """Writes down requests in the order in which they are answered."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        line = json.dumps([self.command, self.path.partition("?")[0], int(code)])
        with RECORD.open("a") as record:
            record.write(line + "\n")


def _serve(descriptor: int, address: str, port: int) -> None:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    # Of S3 alone: to find out which of AWS's services a request is for takes moto longer than to answer it.
    application = Loading(Faults(create_backend_app("s3")))
    inside = make_server(address, port, application, threaded=True, request_handler=Recorder)
    threading.Thread(target=inside.serve_forever, daemon=True).start()
    socket.socket(fileno=os.dup(descriptor)).listen(128)
    outside = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Recorder, fd=descriptor)
    outside.serve_forever()


if __name__ == "__main__":
    _serve(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
