"""What an operation may ask of its surroundings: which models there are and what they are like."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from inference.engine.work import WorkRequest
from inference.model_library import ModelLibrary

Images = Mapping[str, Image.Image]
#: A picture and `caption` or `tags` → what it shows, in words; asks the engine meanwhile.
ImageDescriber = Callable[[Image.Image, str], Generator[WorkRequest, list[Any], str]]


@dataclass(frozen=True)
class OperationContext:
    """The models at hand."""

    library: ModelLibrary
    #: Pixels of the largest picture a job may ask for.
    max_pixels: int = 2048 * 2048
    #: How pictures are put into words; None where nothing here can.
    describe: ImageDescriber | None = None
    #: The host's lists of words, which prompts draw from.
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
