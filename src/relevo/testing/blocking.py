"""The scripted provider for tests that run no event loop: it gets one in a thread of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from relevo.testing.certificates import Tls
from relevo.testing.script import Answer
from relevo.testing.upstream import ScriptedUpstream


@contextmanager
def serving(
    *answers: Answer, models: Answer | None = None, tls: Tls | None = None, port: int = 0
) -> Iterator[ScriptedUpstream]:
    """Serve until the end of the block. Arguments as of `ScriptedUpstream`; read `received` at any time."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="relevo.testing", daemon=True)
    thread.start()

    async def make() -> ScriptedUpstream:
        return await ScriptedUpstream(*answers, models=models, tls=tls, port=port).__aenter__()

    try:
        upstream = asyncio.run_coroutine_threadsafe(make(), loop).result()
        try:
            yield upstream
        finally:
            asyncio.run_coroutine_threadsafe(upstream.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
