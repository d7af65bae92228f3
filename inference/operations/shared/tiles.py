"""Upscaling through the engine: tiles out, tiles back."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from functools import partial
from typing import Any

from PIL import Image
from torch import Tensor

from inference.engine.work import AuxWork, WorkRequest
from inference.model_files.files import UPSCALER
from inference.operations.shared.side_call import run_beside
from inference.upscaling.tiling.plan import Method, NetworkTraits, Size, UpscalePlan, is_tiled
from inference.upscaling.tiling.stitcher import round_to_uint8
from inference.upscaling.tiling.tiles import TileWork
from inference.upscaling.upscalers import UpscalerLibrary

UPSCALE_QUEUE = "upscale"
#: The lane of calls that are timed.
TUNE_QUEUE = "tune"
#: Of a tile's result: channels, height, width.
IMAGE_DIMENSIONS = 3
#: Tiles a job asks for at once; how many of them share a call is the engine's choice.
MAX_REQUESTED_TILES = 8


def run_tiles(
    tile_source: Generator[list[TileWork], list[Tensor], Image.Image],
    count: int,
    size: Size,
    later_units: int = 0,
) -> Generator[WorkRequest, list[Any], Image.Image]:
    """Run an upscale of `count` tiles to this size through the engine; `later_units` follow."""
    results: Any = None
    while True:
        if results is None or all(result.ndim == IMAGE_DIMENSIONS for result in results):
            images = results and [round_to_uint8(result).cpu() for result in results]
            tiles, image = yield from run_beside(partial(_send_results, tile_source, images), size)
        else:  # what a survey averages is a few numbers, added with torch
            tiles, image = _send_results(tile_source, results)
        if image is not None:
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


def _send_results(
    tile_source: Generator[list[TileWork], list[Tensor], Image.Image], results: Any
) -> tuple[list[TileWork], Image.Image | None]:
    """Put results into the picture and cut the next tiles, or give the picture that is whole."""
    try:
        return tile_source.send(results), None
    except StopIteration as finished:
        image: Image.Image = finished.value
        return [], image


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
