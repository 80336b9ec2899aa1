"""What runs as long as an application does, whatever wire it speaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from sojourn.service.episodes import EpisodeTable
from sojourn.service.served import Served


def lifespan(
    served: Mapping[str, Served], table: EpisodeTable
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """For FastAPI: runs the table's reaper, and at the end closes its episodes and the environments' processes."""

    @asynccontextmanager
    async def run(_: FastAPI) -> AsyncIterator[None]:
        reaper = asyncio.create_task(table.run_reaper())
        try:
            yield
        finally:
            reaper.cancel()
            await table.close_all()
            await asyncio.gather(*(one.host.close() for one in served.values()))

    return run
