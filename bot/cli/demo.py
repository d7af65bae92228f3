"""`demo`: the real bot and a real worker on a simulated Discord, in the browser."""

from __future__ import annotations

import shutil
from pathlib import Path

from bot.app import open_app
from bot.settings import Settings


async def run_demo(settings: Settings, *, out: Path, port: int | None, once: bool) -> int:
    """Show what Easel does; return 0 when everything worked.

    The demo keeps its own data under `out`, made anew each time, so that it never touches a
    host's queue.
    """
    from bot.cli.demo_server import show_demo

    data = out / "data"
    shutil.rmtree(data, ignore_errors=True)
    demo_settings = settings.model_copy(
        update={
            "data_dir": data,
            "models_dir": settings.models_path,
            "backup_hours": 0,
            # On this machine alone, whatever the host's own page is; any free port.
            "page_url": "http://127.0.0.1",
            "page_address": "127.0.0.1",
            "page_port": 0,
        }
    )
    async with open_app(demo_settings) as bot:
        return await show_demo(bot, out=out, port=port, once=once)
