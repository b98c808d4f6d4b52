"""/healthz, /readyz and /metrics.

Unhealthy means that a restart helps. Ready means that this process can lead, or waits for its turn: a new version that
may not read the Lease never becomes ready, and a rollout stops at it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

LONGEST_LAG = 10.0
OLDEST_WORK = 300.0
NOT_READY = "the API server has not answered about the Lease yet; the log says why (its address, rights on the Lease)"


@dataclass(slots=True)
class LoopLag:
    """How late the event loop is: a blocked loop answers nothing, and its last measured lag grows."""

    _expected: float = field(default_factory=time.monotonic)

    async def measure(self, period: float = 1.0) -> None:
        """Measure for ever."""
        while True:
            self._expected = time.monotonic() + period
            await asyncio.sleep(period)

    @property
    def seconds(self) -> float:
        """Lag now."""
        return max(0.0, time.monotonic() - self._expected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What health is judged by; ages in seconds, None while this process does not lead."""

    loop_lag: Callable[[], float]
    oldest_work: Callable[[], float]
    resync_age: Callable[[], float | None]
    longest_resync_age: float

    def complaints(self) -> tuple[str, ...]:
        """What is wrong, nothing if all is well."""
        age = self.resync_age()
        found = {
            f"the event loop is {self.loop_lag():.0f} s late": self.loop_lag() > LONGEST_LAG,
            f"one reconcile waits since {self.oldest_work():.0f} s": self.oldest_work() > OLDEST_WORK,
            f"nothing was listed since {age or 0:.0f} s": age is not None and age > self.longest_resync_age,
        }
        return tuple(text for text, is_true in found.items() if is_true)


def make_app(registry: CollectorRegistry, signs: Signs, is_ready: Callable[[], bool]) -> web.Application:
    """The three pages."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_: web.Request) -> web.Response:
        complaints = signs.complaints()
        return web.Response(text="; ".join(complaints) or "ok", status=503 if complaints else 200)

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok") if is_ready() else web.Response(text=NOT_READY, status=503)

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthz), web.get("/readyz", readyz)])
    return app


@asynccontextmanager
async def serving(app: web.Application, port: int) -> AsyncIterator[int]:
    """Serve until the context ends; yields the port (0 asks for a free one)."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, port=port)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
