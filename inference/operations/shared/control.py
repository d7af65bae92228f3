"""What holds a job's pictures: its ControlNet, and the map made of its control picture."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

from PIL import Image

from inference.api.jobs import ControlledJob
from inference.api.jobs.control import (
    AUTOMATIC_MAP,
    CONTROL_IMAGE,
    DEPTH_MAP,
    MADE_MAPS,
    READY_MAP,
)
from inference.api.notices import Notice
from inference.diffusion.control.kinds import union_kind
from inference.engine.work import AuxWork, ControlWork, WorkRequest
from inference.images.control.edges import draw_lines, find_edges
from inference.images.mask.fill import flatten_alpha
from inference.images.regions import Box, Size
from inference.images.resize import ResizeMode, fit_image
from inference.operations.context import Images, OperationContext
from inference.operations.shared.side_call import run_beside

#: The lane of depth networks.
DEPTH_QUEUE = "depth"
#: How each map is made that takes no network; a tile is the picture itself.
MAP_MAKERS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "canny": find_edges,
    "lineart": draw_lines,
    "tile": lambda image: image,
}


@dataclass(frozen=True, eq=False)
class Control:
    """A job's ControlNet and its picture, before they are brought to a work's size."""

    job: ControlledJob
    #: `RGB`; None where no network acts.
    picture: Image.Image | None = None
    #: What is made of it, or `none`.
    module: str = READY_MAP
    #: The kind of map that a union is told.
    kind: str = ""
    notes: tuple[Notice, ...] = ()

    def prepare(
        self, size: Size, crop: tuple[Size, Box] | None = None
    ) -> Generator[WorkRequest, list[Any], tuple[ControlWork, ...]]:
        """Bring the picture to a work's size and make the map of it.

        `crop` is the size of the whole that the work is a part of, and which: the picture is laid
        over the whole first.
        """
        if self.picture is None:
            return ()
        call = partial(_make_map, self.picture, size, crop, MAP_MAKERS.get(self.module))
        image = yield from run_beside(call, size)
        if self.module == DEPTH_MAP:
            work = AuxWork(queue_key=(DEPTH_QUEUE, size), payload=image, has_varying_cost=True)
            (image,) = yield WorkRequest(works=(work,), later_units=None)
        job = self.job
        return (
            ControlWork(
                network=job.control_model,
                kind=self.kind,
                image=image,
                strength=job.control_strength,
                begin=job.control_begin,
                end=job.control_end,
            ),
        )

    @property
    def values(self) -> dict[str, object]:
        """What a picture's text says of it, as the web UI's extension writes it."""
        if self.picture is None:
            return {}
        job = self.job
        unit = {
            "Module": self.module,
            "Model": job.control_model,
            "Weight": f"{job.control_strength:g}",
            "Resize Mode": "Crop and Resize",
            "Guidance Start": f"{job.control_begin:g}",
            "Guidance End": f"{job.control_end:g}",
            "Pixel Perfect": "True",
            "Control Mode": "Balanced",
        }
        if self.kind:
            unit["Union Control Type"] = self.kind
        return {"ControlNet 0": ", ".join(f"{key}: {value}" for key, value in unit.items())}


def open_control(
    job: ControlledJob, images: Images, context: OperationContext, model: str
) -> Control:
    """Find the ControlNet that a job means, and what is to be made of its picture.

    Raises:
        JobError: there is none for that.
        ImageError: the picture is fully transparent.
    """
    has_picture = CONTROL_IMAGE in images
    if not (has_picture or job.wants_control) or not job.control_strength:
        return Control(job)
    networks = list(context.library.controls.list_networks())
    family = context.library.checkpoint_family(model)
    job = job.with_network(networks, family, has_picture=has_picture)
    kinds_text = next((info.about for info in networks if info.name == job.control_model), "")
    kinds = tuple(kinds_text.split(", ")) if kinds_text else ()
    module = job.control_kind
    notes: tuple[Notice, ...] = ()
    if module == AUTOMATIC_MAP:
        makes_depth = context.library.depth.has_network
        made_maps = [name for name in MADE_MAPS if name != DEPTH_MAP or makes_depth]
        module = next((kind for kind in (job.map_kind, *kinds) if kind in made_maps), READY_MAP)
        if module == READY_MAP:
            notes = (Notice("control.as_it_is", name=job.control_model),)
    kind = job.map_kind or (module if module in MADE_MAPS else "")
    is_union = len(kinds) > 1
    picture = flatten_alpha(images[CONTROL_IMAGE] if has_picture else images["image"])
    told_kind = (union_kind(kind, kinds) or kind) if is_union else ""
    return Control(job, picture, module, told_kind, notes)


def _make_map(
    picture: Image.Image,
    size: Size,
    crop: tuple[Size, Box] | None,
    make: Callable[[Image.Image], Image.Image] | None,
) -> Image.Image:
    if crop is None:
        image = fit_image(picture, *size, ResizeMode.CROP_AND_RESIZE)
    else:
        whole, box = crop
        part = fit_image(picture, *whole, ResizeMode.CROP_AND_RESIZE).crop(box)
        image = fit_image(part, *size, ResizeMode.RESIZE_AND_FILL)
    return make(image) if make else image
