"""Who does the slices of each lane."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from inference.engine.runner import AuxExecutor
from inference.model_library import ModelLibrary
from inference.operations.interrogate import INTERROGATE_QUEUE as INTERROGATE
from inference.operations.interrogate import execute_interrogation
from inference.operations.mask.segmentation import SEGMENT_QUEUE as SEGMENT
from inference.operations.mask.segmentation import execute_segmentation as find
from inference.operations.shared.control import DEPTH_QUEUE
from inference.operations.shared.restoration import (
    COLOURISE_QUEUE,
    FACE_QUEUE,
    RESTORE_QUEUE,
    execute_colouring,
    execute_restoration,
)
from inference.operations.shared.tiles import TUNE_QUEUE
from inference.operations.shared.tiles import UPSCALE_QUEUE as UPSCALE


def build_executors(library: ModelLibrary) -> Mapping[str, AuxExecutor]:
    """Bind each lane's hand to the models at hand."""

    def upscale_tiles(queue_key: Hashable, tiles: Sequence[Any]) -> Sequence[object]:
        """Enlarge tiles of one network and one shape in one call."""
        key = queue_key[1] if isinstance(queue_key, tuple) else queue_key
        return library.upscalers.get_upscaler(str(key)).process_tiles(tiles)

    def tune_upscaler(queue_key: Hashable, names: Sequence[Any]) -> Sequence[object]:
        """Time one more call of an upscaler, for all that wait for that."""
        library.upscalers.tune_once(str(names[0]))
        return [None] * len(names)

    def describe_images(queue_key: Hashable, images: Sequence[Any]) -> Sequence[object]:
        """Describe RGB pictures in one call."""
        return execute_interrogation(queue_key, list(images), library.describers)

    def segment_images(queue_key: Hashable, images: Sequence[Any]) -> Sequence[object]:
        """Mark one thing in RGB pictures."""
        return find(queue_key, images, library.segmenters)

    def find_faces(_queue_key: Hashable, images: Sequence[Any]) -> Sequence[object]:
        """Find the faces of RGB pictures."""
        return library.segmenters.find_faces(images)

    def restore_faces(queue_key: Hashable, faces: Sequence[Any]) -> Sequence[object]:
        """Restore faces by one network in one call."""
        return execute_restoration(queue_key, faces, library.restorers)

    def colourise_images(queue_key: Hashable, images: Sequence[Any]) -> Sequence[object]:
        """Give RGB pictures colours."""
        return execute_colouring(queue_key, images, library.restorers)

    def estimate_depths(_queue_key: Hashable, images: Sequence[Any]) -> Sequence[object]:
        """Draw how near the parts of RGB pictures are."""
        return library.depth.estimate_depths(images)

    return {
        DEPTH_QUEUE: estimate_depths,
        FACE_QUEUE: find_faces,
        RESTORE_QUEUE: restore_faces,
        COLOURISE_QUEUE: colourise_images,
        UPSCALE: upscale_tiles,
        TUNE_QUEUE: tune_upscaler,
        INTERROGATE: describe_images,
        SEGMENT: segment_images,
    }


def tile_batch_rule(library: ModelLibrary) -> Mapping[str, Callable[[Hashable], int]]:
    """Let each upscaler's tiling say how many of its tiles share a call."""

    def max_batch_tiles(queue_key: Hashable) -> int:
        match queue_key:
            case (_, str(key), ((_, int(height), int(width)), *_)):
                return library.upscalers.tiles_per_call(key, height, width)
            case _:
                return 1

    return {UPSCALE: max_batch_tiles}
