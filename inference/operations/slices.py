"""Upscaling through the engine: tiles out, tiles back."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from PIL import Image
from torch import Tensor

from inference.engine.work import Ask, Slice
from inference.models.files import UPSCALER
from inference.models.upscaling.plan import Method, NetworkTraits, Size, UpscalePlan, is_tiled
from inference.models.upscaling.tiles import TileWork
from inference.models.upscaling.upscalers import Upscalers

LANE = "upscale"
#: The lane of calls that are timed.
TUNE = "tune"
#: Tiles a job asks for at once; how many of them share a call is the engine's choice.
TOGETHER = 8


def in_slices(
    work: Generator[list[TileWork], list[Tensor], Image.Image], count: int, later: int = 0
) -> Generator[Ask, list[Any], Image.Image]:
    """Run an upscale of `count` tiles through the engine; `later` units follow it in the job."""
    results: Any = None
    while True:
        try:
            tiles = work.send(results)
        except StopIteration as finished:
            picture: Image.Image = finished.value
            return picture
        count = max(0, count - len(tiles))
        slices = tuple(
            Slice(
                lane=(LANE, tile.key, tile.group),
                load=tile,
                weights=(UPSCALER, tile.key),
            )
            for tile in tiles
        )
        results = yield Ask(works=slices, later=count + later)


def tuned(
    plan: UpscalePlan, size: Size, upscalers: Upscalers
) -> Generator[Ask, list[Any], UpscalePlan]:
    """Let the tilings of a plan's networks be measured, and give the plan with them.

    Nothing is asked where they are known, or where the picture is a single tile anyway.
    """
    known: dict[str, NetworkTraits] = {}
    for method, _ in plan.layers():
        if isinstance(method, NetworkTraits) and is_tiled(size, plan, method):
            while not upscalers.tuned(method.key):
                call = Slice(
                    lane=(TUNE, method.key),
                    load=method.key,
                    weights=(UPSCALER, method.key),
                    free=True,
                )
                yield Ask(works=(call,), later=1)
            known[method.key] = upscalers.traits(method.key)

    def now(method: Method) -> Method:
        return known.get(method.key, method) if isinstance(method, NetworkTraits) else method

    return replace(plan, upscaler=now(plan.upscaler), second=plan.second and now(plan.second))
