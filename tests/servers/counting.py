"""A server on loopback that passes calls on to another, and counts them."""

import asyncio
import threading
from types import TracebackType

from aiohttp import ClientSession, web


class CountingServer:
    """Stands in front of an OpenAI-compatible server, in a thread of its own.

    `calls` are the calls that arrived, `ended` those that were answered to the end.
    """

    def __init__(self, behind: str, *, delay: float = 0.0) -> None:
        self.calls = 0
        self.ended = 0
        self.base_url = ""
        self._behind = behind.rstrip("/")
        self._delay = delay
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "CountingServer":
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        application = web.Application()
        application.router.add_route("*", "/v1/{path:.*}", self._pass_on)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self._session = self._loop.run_until_complete(_session())
        self.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        self._ready.set()
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._session.close())
            self._loop.run_until_complete(runner.cleanup())
            self._loop.close()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        asked = request.method == "POST"
        self.calls += asked
        await asyncio.sleep(self._delay)
        url = f"{self._behind}/{request.match_info['path']}"
        kept = {"Content-Type": "application/json", "Authorization": "Bearer none"}
        body = await request.read()
        async with self._session.request(
            request.method, url, data=body, headers=kept
        ) as answer:
            passed = web.StreamResponse(
                status=answer.status,
                headers={"Content-Type": answer.headers["Content-Type"]},
            )
            await passed.prepare(request)
            async for chunk in answer.content.iter_any():
                await passed.write(chunk)
            await passed.write_eof()
        self.ended += asked
        return passed


async def _session() -> ClientSession:
    return ClientSession()
