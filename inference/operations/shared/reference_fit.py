"""The sizes at which editing checkpoints look at pictures, as their makers' pipelines have them."""

from __future__ import annotations

import math

from PIL import Image

from inference.images.regions import Size
from inference.images.resize import scale_to_area

#: Pixels of what is looked at, at most or exactly.
MEGAPIXEL = 1024 * 1024
PATCH_PIXELS = 16
#: Width and height of what FLUX.1 Kontext was trained on, the narrowest first.
TRAINED_SIZES = (
    *((672, 1568), (688, 1504), (720, 1456), (752, 1392), (800, 1328), (832, 1248), (880, 1184)),
    *((944, 1104), (1024, 1024), (1104, 944), (1184, 880), (1248, 832), (1328, 800), (1392, 752)),
    *((1456, 720), (1504, 688), (1568, 672)),
)


def fit_reference(image: Image.Image, fit: str) -> Image.Image:
    """Bring an RGB picture to the size at which a checkpoint looks at it.

    Args:
        image: any size.
        fit: `crop` shrinks to a megapixel and cuts the middle out in whole patches, `trained sizes`
            takes the nearest shape of those, `megapixel` scales to that in whole 32s.

    Raises:
        ValueError: there is no such fit.
    """
    match fit:
        case "crop":
            return _crop_middle(image)
        case "trained sizes":
            ratio = image.width / image.height
            return _resize(image, min(TRAINED_SIZES, key=lambda s: abs(ratio - s[0] / s[1])))
        case "megapixel":
            return _resize(image, scale_to_area(image.size, MEGAPIXEL))
        case _:
            raise ValueError(f"nothing is fitted by {fit!r}")


def _crop_middle(image: Image.Image) -> Image.Image:
    width, height = image.size
    scale = min(1.0, math.sqrt(MEGAPIXEL / (width * height)))
    scale = max(scale, PATCH_PIXELS / min(width, height))
    if scale != 1:
        image = _resize(image, (int(width * scale), int(height * scale)))
    width, height = (side // PATCH_PIXELS * PATCH_PIXELS for side in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _resize(image: Image.Image, size: Size) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)
