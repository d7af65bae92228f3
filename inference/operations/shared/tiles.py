"""Upscaling through the engine: tiles out, tiles back."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from PIL import Image
from torch import Tensor

from inference.engine.work import AuxWork, WorkRequest
from inference.model_files.files import UPSCALER
from inference.upscaling.tiling.plan import Method, NetworkTraits, Size, UpscalePlan, is_tiled
from inference.upscaling.tiling.tiles import TileWork
from inference.upscaling.upscalers import UpscalerLibrary

UPSCALE_QUEUE = "upscale"
#: The lane of calls that are timed.
TUNE_QUEUE = "tune"
#: Tiles a job asks for at once; how many of them share a call is the engine's choice.
MAX_REQUESTED_TILES = 8


def run_tiles(
    tile_source: Generator[list[TileWork], list[Tensor], Image.Image],
    count: int,
    later_units: int = 0,
) -> Generator[WorkRequest, list[Any], Image.Image]:
    """Run an upscale of `count` tiles through the engine; `later` units follow it in the job."""
    results: Any = None
    while True:
        try:
            tiles = tile_source.send(results)
        except StopIteration as finished:
            image: Image.Image = finished.value
            return image
        count = max(0, count - len(tiles))
        works = tuple(
            AuxWork(
                queue_key=(UPSCALE_QUEUE, tile.key, tile.batch_key),
                payload=tile,
                weights=(UPSCALER, tile.key),
            )
            for tile in tiles
        )
        results = yield WorkRequest(works=works, later_units=count + later_units)


def with_tuned_tiling(
    plan: UpscalePlan, size: Size, upscalers: UpscalerLibrary
) -> Generator[WorkRequest, list[Any], UpscalePlan]:
    """Let the tilings of a plan's networks be measured, and give the plan with them.

    Nothing is asked where they are known, or where the picture is a single tile anyway.
    """
    traits_by_key: dict[str, NetworkTraits] = {}
    for method, _ in plan.weighted_methods():
        if isinstance(method, NetworkTraits) and is_tiled(size, plan, method):
            while not upscalers.is_tuned(method.key):
                call = AuxWork(
                    queue_key=(TUNE_QUEUE, method.key),
                    payload=method.key,
                    weights=(UPSCALER, method.key),
                    is_uncharged=True,
                )
                yield WorkRequest(works=(call,), later_units=1)
            traits_by_key[method.key] = upscalers.network_traits(method.key)

    def tuned_method(method: Method) -> Method:
        return (
            traits_by_key.get(method.key, method) if isinstance(method, NetworkTraits) else method
        )

    return replace(
        plan, upscaler=tuned_method(plan.upscaler), second=plan.second and tuned_method(plan.second)
    )
