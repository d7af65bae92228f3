"""Faces restored and colours given at an operation's end, through the engine."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from PIL import Image

from inference.api.jobs import UpscaleJob
from inference.api.jobs.kinds import RestoringJob
from inference.api.messages import COLOURISER_KIND, FACE_RESTORER_KIND
from inference.api.notices import Notice
from inference.engine.work import AuxWork, DenoiseResult, SideWork, WorkRequest
from inference.images.face_crops import FaceCrop, crop_face, is_restorable, paste_faces
from inference.model_files.errors import UnsupportedWeights
from inference.model_files.files import RESTORER
from inference.operations.context import OperationContext
from inference.restoration.library import RestorerLibrary
from inference.restoration.networks import Colouriser, FaceRestorer
from inference.vision.segmentation.faces import FaceBoxes

#: The lanes in which faces are found and restored, and pictures given colours.
FACE_QUEUE, RESTORE_QUEUE, COLOURISE_QUEUE = "faces", "restore", "colourise"


@dataclass(frozen=True, eq=False)
class RestoredImages:
    """Pictures with their faces restored."""

    images: tuple[Image.Image, ...]
    notes: tuple[Notice, ...] = ()


def restore_images(
    job: RestoringJob, images: Sequence[Image.Image], context: OperationContext
) -> Generator[WorkRequest, list[Any], RestoredImages]:
    """Restore the faces of RGB or RGBA pictures as their job asks; without that, give them back.

    Raises:
        ModelError: the network is not there, or what finds faces.
    """
    if not job.restore_faces or job.restore_visibility == 0:
        return RestoredImages(tuple(images))
    restorers = context.library.restorers
    name = restorers.resolve_name(job.restore_faces, FACE_RESTORER_KIND)
    sources = [image.convert("RGB") for image in images]
    face_boxes = yield WorkRequest(
        works=tuple(AuxWork(queue_key=(FACE_QUEUE,), payload=source) for source in sources),
        later_units=len(sources),
    )
    side = restorers.face_side(name)
    crop_lists = yield WorkRequest(
        works=tuple(
            SideWork(call=partial(_crop_faces, source, boxes, side))
            for source, boxes in zip(sources, face_boxes, strict=True)
        )
    )
    if not any(crop_lists):
        return RestoredImages(tuple(images), (Notice("restore.no_face"),))
    restored_faces = yield WorkRequest(
        works=tuple(
            AuxWork(
                queue_key=(RESTORE_QUEUE, name, job.restore_weight),
                payload=crop.image,
                weights=(RESTORER, name),
            )
            for crops in crop_lists
            for crop in crops
        )
    )
    faces = iter(restored_faces)
    pasted_images = yield WorkRequest(
        works=tuple(
            SideWork(
                call=partial(
                    _paste_faces, image, crops, [next(faces) for _ in crops], job.restore_visibility
                )
            )
            for image, crops in zip(images, crop_lists, strict=True)
        )
    )
    return RestoredImages(tuple(pasted_images))


def restore_results(
    job: RestoringJob, results: Sequence[DenoiseResult], context: OperationContext
) -> Generator[WorkRequest, list[Any], tuple[list[Any], tuple[Notice, ...]]]:
    """Restore the faces of what was denoised, and say what a person should know of it.

    Raises:
        ModelError: as `restore_images`.
    """
    images = [result.image for result in results if result.image is not None]
    restoration = yield from restore_images(job, images, context)
    restored_images = iter(restoration.images)
    restored_results = [
        result if result.image is None else replace(result, image=next(restored_images))
        for result in results
    ]
    return restored_results, restoration.notes


def colourise_source(
    job: UpscaleJob, image: Image.Image, context: OperationContext
) -> Generator[WorkRequest, list[Any], Image.Image]:
    """Give an RGB or RGBA picture colours, if its job asks for that.

    Raises:
        ModelError: the network is not there.
    """
    if not job.colourise:
        return image
    name = context.library.restorers.resolve_name(job.colourise, COLOURISER_KIND)
    (coloured_image,) = yield WorkRequest(
        works=(
            AuxWork(
                queue_key=(COLOURISE_QUEUE, name, image.size),
                payload=image.convert("RGB"),
                weights=(RESTORER, name),
            ),
        ),
        later_units=1,
    )
    return _with_alpha(coloured_image, image)


def execute_restoration(
    queue_key: Any, faces: Sequence[Image.Image], restorers: RestorerLibrary
) -> list[Image.Image]:
    """Restore faces of one network and weight in one call."""
    _, name, weight = queue_key
    network = restorers.get_restorer(name)
    if not isinstance(network, FaceRestorer):
        raise UnsupportedWeights("weights.wrong")
    return network.restore_faces(faces, weight)


def execute_colouring(
    queue_key: Any, images: Sequence[Image.Image], restorers: RestorerLibrary
) -> list[Image.Image]:
    """Give RGB pictures colours by one network."""
    network = restorers.get_restorer(queue_key[1])
    if not isinstance(network, Colouriser):
        raise UnsupportedWeights("weights.wrong")
    return [network.colourise_image(image) for image in images]


def _crop_faces(image: Image.Image, faces: FaceBoxes, side: int) -> list[FaceCrop]:
    return [crop_face(image, points, side) for points in faces.points if is_restorable(points)]


def _paste_faces(
    image: Image.Image,
    crops: Sequence[FaceCrop],
    faces: Sequence[Image.Image],
    visibility: float,
) -> Image.Image:
    return _with_alpha(paste_faces(image.convert("RGB"), crops, faces, visibility), image)


def _with_alpha(image: Image.Image, original: Image.Image) -> Image.Image:
    """Give a picture another one's transparency, if that has any."""
    if original.mode == "RGBA":
        image.putalpha(original.getchannel("A"))
    return image
