"""Between a client and a real API server: passes everything on, and does harm at the request that a test names.

Plain HTTP towards the client, so a kubeconfig without certificates leads to it; TLS with the administrator's token
towards the server. Watches stream.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

LOOP = web.AppKey("loop", asyncio.AbstractEventLoop)
SESSION = web.AppKey("session", aiohttp.ClientSession)
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
HOP_HEADERS = frozenset({"host", "connection", "transfer-encoding", "content-length", "content-encoding", "te"})


@dataclass(frozen=True, slots=True)
class Request:
    """One request on its way."""

    number: int
    """Of the writes, from 1; 0 for reads."""
    method: str
    path: str
    query: str
    body: bytes = b""

    @property
    def said(self) -> dict[str, Any]:
        """The body as JSON."""
        found: dict[str, Any] = json.loads(self.body or b"{}")
        return found

    @property
    def is_lease(self) -> bool:
        """The heartbeat of leadership: it writes all the time."""
        return "/leases" in self.path

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


Harm = Callable[[Request], Awaitable[web.StreamResponse | None]]
"""Called for a request; an answer of its own stands in for the server's."""


async def no_harm(_: Request) -> None:
    """Let it pass."""


@dataclass(slots=True)
class ApiProxy:
    """A running proxy. `before` is asked when a request comes, `after` when the server has answered it."""

    kubeconfig: Path
    before: Harm = no_harm
    after: Harm = no_harm
    writes: list[Request] = field(default_factory=list)
    answered: list[tuple[Request, int]] = field(default_factory=list)
    """Writes that reached the server, and the status that it answered."""
    _server: str = ""
    _headers: dict[str, str] = field(default_factory=dict)
    _tls: ssl.SSLContext | None = None
    _watches: dict[int, web.Request] = field(default_factory=dict)
    """By identity: a request of aiohttp has no hash."""

    def cut(self) -> None:
        """Break every watch that is open."""
        for request in tuple(self._watches.values()):
            if request.transport is not None:
                request.app[LOOP].call_soon_threadsafe(request.transport.abort)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Pass one request on."""
        passing = self._note(request, await request.read())
        if (own := await self.before(passing)) is not None:
            return own
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_HEADERS}
        async with request.app[SESSION].request(
            request.method,
            self._server + request.raw_path,
            data=passing.body or None,  # an empty body would get a content type of its own
            headers={**headers, **self._headers},
            ssl=self._tls or True,
            allow_redirects=False,
        ) as answer:
            if "watch=true" in request.query_string or "watch=1" in request.query_string:
                self._watches[id(request)] = request
                try:
                    return await _stream(request, answer)
                finally:
                    del self._watches[id(request)]
            body = await answer.read()
            if passing.number:
                self.answered.append((passing, answer.status))
            if (own := await self.after(passing)) is not None:
                return own
            return web.Response(status=answer.status, body=body, content_type=answer.content_type)

    def _note(self, request: web.Request, body: bytes) -> Request:
        passing = Request(0, request.method, request.path, request.query_string, body)
        if request.method not in WRITES or passing.is_lease or "dryRun" in request.query_string:
            return passing
        counted = replace(passing, number=len(self.writes) + 1)
        self.writes.append(counted)
        return counted


async def _stream(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    streamed = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
    await streamed.prepare(request)
    try:
        async for chunk in answer.content.iter_any():
            await streamed.write(chunk)
    except (ConnectionError, aiohttp.ClientError):
        pass  # the watcher, or the server, is gone
    return streamed


@contextmanager
def proxied(kubeconfig: Path, folder: Path) -> Iterator[ApiProxy]:
    """Run a proxy to the server of a kubeconfig; its own kubeconfig is written into `folder`."""
    proxy = ApiProxy(folder / "proxy.kubeconfig")
    _point_at_server(proxy, yaml.safe_load(kubeconfig.read_text()))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner, port = asyncio.run_coroutine_threadsafe(_serve(proxy), loop).result(10)
    _write_kubeconfig(proxy.kubeconfig, port)
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(_end(runner), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _serve(proxy: ApiProxy) -> tuple[web.AppRunner, int]:
    app = web.Application(client_max_size=2**24)

    async def session(app: web.Application) -> Any:
        app[LOOP] = asyncio.get_running_loop()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None), auto_decompress=True) as opened:
            app[SESSION] = opened
            yield

    app.cleanup_ctx.append(session)
    app.router.add_route("*", "/{path:.*}", proxy.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, runner.addresses[0][1]


async def _end(runner: web.AppRunner) -> None:
    """Close everything, also what still waits for a server or a client."""
    await runner.cleanup()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def _point_at_server(proxy: ApiProxy, content: dict[str, Any]) -> None:
    cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
    proxy._server = cluster["server"]
    proxy._headers = {"Authorization": f"Bearer {user['token']}"}
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    proxy._tls = ssl.create_default_context(cadata=authority)


def _write_kubeconfig(path: Path, port: int) -> None:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "proxy", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "nobody", "user": {"token": "unused"}}],
        "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "nobody"}}],
        "current-context": "proxy",
    }
    path.write_text(json.dumps(content))
