"""Upscaling through the engine: tiles out, tiles back."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from PIL import Image
from torch import Tensor

from inference.engine.work import Ask, Slice
from inference.models.files import UPSCALER
from inference.models.tiles import TileWork

LANE = "upscale"
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
