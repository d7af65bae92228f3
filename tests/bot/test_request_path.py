"""How far a reader has to go who follows one request: modules, and changes between them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDERS = tuple(str(ROOT / folder) + "/" for folder in ("bot", "storage", "inference/api"))
MAX_MODULES, MAX_SWITCHES = 69, 360


class CallTrace:
    """The modules of Easel whose functions run, in order; only this thread's."""

    def __init__(self) -> None:
        self.modules: list[str] = []
        self._frames: set[FrameType] = set()  # a coroutine that goes on is no new call

    def __enter__(self) -> CallTrace:
        sys.setprofile(self._note_call)
        return self

    def __exit__(self, *exception: object) -> None:
        sys.setprofile(None)

    def _note_call(self, frame: FrameType, event: str, _argument: Any) -> None:
        if event != "call" or not frame.f_code.co_filename.startswith(FOLDERS):
            return
        if frame not in self._frames:
            self._frames.add(frame)
            self.modules.append(frame.f_code.co_filename.removeprefix(f"{ROOT}/"))

    def count_switches(self) -> int:
        return sum(a != b for a, b in zip(self.modules, self.modules[1:], strict=False))


async def test_an_image_asked_for_passes_through_few_modules(easel):
    await easel.ask(prompt="a lighthouse")  # what is loaded or cached once is no part of a request
    await easel.finish()

    with CallTrace() as trace:
        result = await easel.ask(prompt="a harbour at dawn")
        await easel.finish()

    assert len(result.response.attachments) == 1
    assert len(set(trace.modules)) <= MAX_MODULES
    assert trace.count_switches() <= MAX_SWITCHES
