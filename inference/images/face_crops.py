"""Faces cut out upright for a network that restores them, and laid back into their picture.

Five points of a face (eyes, nose, corners of the mouth) are brought as near as turning, scaling and
moving can to where FFHQ's portraits have them (Karras et al., "A Style-Based Generator
Architecture", 2019), by least squares (Umeyama, 1991). The face is laid back through a square whose
border fades out over a tenth of its side, in the middle of which half of the face shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from inference.images.arrays import FloatArray, to_array, to_image
from inference.images.gaussian import convolve_axis, gaussian_kernel

#: Left eye, right eye, nose, left and right corner of the mouth, in shares of the side.
PORTRAIT_POINTS = (
    np.array(
        [
            (192.98138, 239.94708),
            (318.90277, 240.19360),
            (256.63416, 314.01935),
            (201.26117, 371.41043),
            (313.08905, 371.15118),
        ]
    )
    / 512
)
#: Where a cut-out reaches beyond the picture.
OUTSIDE_COLOUR = (135, 133, 132)
#: Of a cut-out's side: how far from its edge half of the face shows.
EDGE_DIVISOR = 20
#: Faces whose eyes are nearer than this, in pixels, show nothing to restore.
MIN_EYE_DISTANCE = 5.0

#: [2, 3] float64: places (x, y) of the picture to places of the cut-out.
Affine = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FaceCrop:
    """A face cut out of its picture."""

    #: RGB, a square.
    image: Image.Image
    #: How it lies.
    affine: Affine


def is_restorable(points: FloatArray) -> bool:
    """Say whether a face of these points, [5, 2] in pixels, is large enough."""
    return float(np.hypot(*(points[1] - points[0]))) >= MIN_EYE_DISTANCE


def align_points(points: FloatArray, side: int) -> Affine:
    """Find what turns, scales and moves a face's points, [5, 2] in pixels, to a portrait's."""
    source = np.asarray(points, dtype=np.float64)
    target = PORTRAIT_POINTS * side
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    spread = source - source_mean
    covariance = (target - target_mean).T @ spread / len(source)
    left, values, right = np.linalg.svd(covariance)
    signs = np.array([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right)) or 1.0])
    rotation = left @ np.diag(signs) @ right
    scale = float(values @ signs) / float(spread.var(axis=0).sum())
    linear = scale * rotation
    return np.hstack([linear, (target_mean - linear @ source_mean)[:, None]])


def crop_face(image: Image.Image, points: FloatArray, side: int) -> FaceCrop:
    """Cut a face out of an RGB picture, upright, as a square of a side in pixels."""
    affine = align_points(points, side)
    step = _reduction(1 / _scale_of(affine))
    source_image = image.reduce(step) if step > 1 else image
    inverse = _invert(affine)
    inverse /= step
    crop = source_image.transform(
        (side, side),
        Image.Transform.AFFINE,
        tuple(inverse.ravel()),
        Image.Resampling.BICUBIC,
        fillcolor=OUTSIDE_COLOUR,
    )
    return FaceCrop(crop, affine)


def paste_faces(
    image: Image.Image,
    crops: Sequence[FaceCrop],
    restored_faces: Sequence[Image.Image],
    visibility: float,
) -> Image.Image:
    """Lay restored faces into an RGB picture; `visibility` 0..1 is how much of them shows.

    Where no face lies, every pixel stays what it was.
    """
    restored_image = image.copy()
    for crop, restored_face in zip(crops, restored_faces, strict=True):
        _paste_face(restored_image, crop, restored_face)
    return restored_image if visibility == 1 else Image.blend(image, restored_image, visibility)


def make_edge_mask(side: int) -> Image.Image:
    """Make the `L` mask through which a cut-out of that side is laid back."""
    edge = max(1, side // EDGE_DIVISOR)
    mask = np.zeros((side, side), np.float32)
    mask[edge : side - edge, edge : side - edge] = 1
    # The standard deviation that OpenCV takes for a kernel of that many taps.
    kernel = gaussian_kernel(0.3 * (edge - 1) + 0.8, 2 * edge + 1)
    for axis in (0, 1):
        mask = convolve_axis(mask, kernel, axis)
    return to_image(mask)


def _paste_face(image: Image.Image, crop: FaceCrop, restored_face: Image.Image) -> None:
    """Lay one face into the picture itself."""
    box = _covered_box(crop, image.size)
    if box is None:
        return
    left, top, right, bottom = box
    step = _reduction(_scale_of(crop.affine))
    box_affine = crop.affine.copy()
    box_affine[:, 2] += box_affine[:, :2] @ (left, top)
    box_affine /= step
    size = (right - left, bottom - top)
    layers = [
        (layer.reduce(step) if step > 1 else layer).transform(
            size, Image.Transform.AFFINE, tuple(box_affine.ravel()), resampling
        )
        for layer, resampling in (
            (restored_face, Image.Resampling.BICUBIC),
            (make_edge_mask(crop.image.width), Image.Resampling.BILINEAR),
        )
    ]
    face, share = to_array(layers[0]), to_array(layers[1])[..., None]
    below = to_array(image.crop(box))
    image.paste(to_image(below + (face - below) * share), box)


def _covered_box(crop: FaceCrop, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Find what a cut-out covers of a picture of that size; None for nothing."""
    side = crop.image.width
    inverse = _invert(crop.affine)
    corners = np.array([(0, 0), (side, 0), (0, side), (side, side)]) @ inverse[:, :2].T
    corners = corners + inverse[:, 2]
    left, top = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int).tolist()
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)), size).astype(int).tolist()
    return (left, top, right, bottom) if left < right and top < bottom else None


def _scale_of(affine: Affine) -> float:
    """Give how many times longer a way is in the cut-out than in the picture."""
    return float(np.hypot(affine[0, 0], affine[1, 0]))


def _reduction(shrink: float) -> int:
    """Give by which whole factor a picture is averaged before it is made so many times smaller."""
    return max(1, int(shrink))


def _invert(affine: Affine) -> Affine:
    linear = np.linalg.inv(affine[:, :2])
    return np.hstack([linear, -(linear @ affine[:, 2])[:, None]])
