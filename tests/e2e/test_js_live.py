"""The JavaScript client against a running relevo: in Node, and in Chromium from a page on an allowed origin."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web
from playwright.async_api import Page, async_playwright

from relevo.testing import Received, Script, ScriptedUpstream
from relevo.testing.asked import Asked
from support.gateway import Gateway, config_text, running
from support.process import environment
from support.upstream import HANG, delta, reply, sse

CLIENT = Path(__file__).parents[2] / "clients" / "js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NODE = shutil.which("node")
pytestmark = pytest.mark.slow

TEXT: Final = "hola año 世界"
TASKS: Final = {
    "OK": ["good"],
    "SWITCH": ["dead", "good"],
    "RESTART": ["cut", "good"],
    "FAIL": ["gone"],
    "LATE": ["late"],
    "ONCE": ["once"],
    "HANG": ["hang"],
    "DEAR": ["dear"],
}
"""One task for each situation of clients/js/live/cases.js, with its providers in order."""


MORE: Final = """
[timeouts]
connect_s = 1
total_s = 30
[breaker]
failures = 1000
[limits]
user_requests_per_minute = 0
[credits]
enabled = true
signup = 500
topup_url = "https://app.example/planes"
[server]
locale = "es"
allowed_origins = ["{origin}"]
"""


def good(request: Received) -> Script:
    return Asked(request).good(text=TEXT)


@dataclass
class World:
    """A relevo whose providers misbehave, each in its own way, and a page that may call it."""

    gateway: Gateway
    providers: dict[str, ScriptedUpstream]
    page_url: str

    async def check_providers(self) -> None:
        """What the cases did at the providers: who leaves is gone there too, and one key is one call."""
        while len(self.providers["hang"].departures) < 2:
            await asyncio.sleep(0.01)
        assert len(self.providers["late"].received) == 1
        assert len(self.providers["once"].received) == 1
        assert self.providers["dear"].received == []
        await self.gateway.at_rest()


@asynccontextmanager
async def page_server() -> AsyncIterator[str]:
    """The origin of a page that has the file to paste and the cases beside it."""
    app = web.Application()

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>app</title>", content_type="text/html")

    app.router.add_get("/", page)
    app.router.add_static("/dist", CLIENT / "dist")
    app.router.add_static("/live", CLIENT / "live")
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    scripts: dict[str, Any] = {
        "good": good,
        "dead": reply({"error": {"message": "x"}}, 500),
        "gone": reply({"error": {"message": "x"}}, 500),  # not "dead" again: five failures would open its breaker
        "cut": sse(delta("half "), delta("an answer")),
        "late": lambda request: [0.5, *good(request)],
        "once": good,
        "hang": [*sse(delta(TEXT)), HANG],
        "dear": good,
    }
    async with AsyncExitStack() as stack:
        origin = await stack.enter_async_context(page_server())
        providers = {
            name: await stack.enter_async_context(ScriptedUpstream(script)) for name, script in scripts.items()
        }
        tasks = "".join(
            f"[tasks.{task}]\ncredits = {1000 if task == 'DEAR' else 1}\ntargets = ["
            + ", ".join(f'{{ provider = "{name}", model = "{name}-model", max_tokens = 2000 }}' for name in names)
            + "]\n"
            for task, names in TASKS.items()
        )
        urls = {name: provider.base_url for name, provider in providers.items()}
        config = config_text(urls, tasks=tasks, more=MORE.replace("{origin}", origin))
        gateway = await stack.enter_async_context(running(config, folder))
        yield World(gateway, providers, origin)


@pytest.mark.skipif(
    not (NODE and (CLIENT / "node_modules").is_dir()),
    reason="SKIPPED: the JavaScript client is not tested: install Node.js and npm, then make test",
)
async def test_the_client_in_node_against_a_running_server(tmp_path: Path) -> None:
    """Every case of clients/js/live passes; whoever leaves is gone at the provider; one key is one provider call."""
    async with world(tmp_path) as it:
        names = {"RELEVO_LIVE_URL": it.gateway.server.api.url, "RELEVO_LIVE_TOKEN": it.gateway.token}
        node = await asyncio.create_subprocess_exec(
            str(NODE), "--test", "live/run.js", cwd=CLIENT, env=environment(names), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await asyncio.wait_for(node.communicate(), 90)
        assert node.returncode == 0, out.decode()[-6000:]
        await asyncio.wait_for(it.check_providers(), 10)


RUN: Final = """
async (site) => {
  const [relevo, { casesFor }] = await Promise.all([import("/dist/relevo.min.js"), import("/live/cases.js")]);
  const results = {};
  for (const [name, run] of Object.entries(casesFor(relevo, site))) {
    results[name] = await run().then(() => "ok", (error) => `${error.name}: ${error.message}`);
  }
  return results;
}
"""


@asynccontextmanager
async def browser_page(url: str) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            page = await browser.new_page()
            await page.goto(url)
            yield page
        finally:
            await browser.close()


@pytest.mark.skipif(
    not CHROMIUM, reason="SKIPPED: the JavaScript client is not tested in a browser: install chromium"
)
async def test_the_pasted_file_in_chromium_from_an_allowed_origin(tmp_path: Path) -> None:
    """The same cases pass in a browser across origins: preflights, exposed headers, streams and aborts included."""
    async with world(tmp_path) as it, browser_page(it.page_url) as page:
        results = await page.evaluate(RUN, {"baseUrl": it.gateway.server.api.url, "token": it.gateway.token})

        assert len(results) >= 15
        assert {name: result for name, result in results.items() if result != "ok"} == {}
        await asyncio.wait_for(it.check_providers(), 10)


@pytest.mark.skipif(
    not CHROMIUM, reason="SKIPPED: the JavaScript client is not tested in a browser: install chromium"
)
async def test_a_page_of_another_origin_cannot_call(tmp_path: Path) -> None:
    """The browser keeps every answer from it: the client sees a failed network, and no provider is called."""
    ask = """async (site) => {
      const { createClient } = await import("/dist/relevo.min.js");
      const ai = createClient({ baseUrl: site.baseUrl, getToken: () => site.token, retries: 0 });
      return ai.chat({ prompt: "Hola" }).catch(({ code }) => code);
    }"""
    async with world(tmp_path) as it, page_server() as foreign, browser_page(foreign) as page:
        site = {"baseUrl": it.gateway.server.api.url, "token": it.gateway.token}
        assert await page.evaluate(ask, site) == "network_error"
        assert it.providers["good"].received == []
