"""Where a copy of a picture, perhaps scaled and cropped, lies in the picture."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image

from inference.images.arrays import FloatArray

Place = tuple[float, float, float, float]
"""Left, top, right, bottom in the picture's pixels."""

COARSE_SEARCH_SIDE, FINE_SEARCH_SIDE = (
    96,
    320,
)  # pixels of the picture's longer side in the two searches
MIN_WIDTH_SHARE = 0.35  # of the picture's width that a crop shows at least
WIDTH_STEP_SHARE = 0.025  # between two widths tried, as a share
WHOLE_RATIO_TOLERANCE = 0.02  # ratios closer than this are the whole picture scaled
MIN_WHOLE_CORRELATION, MIN_CROP_CORRELATION = (
    0.6,
    0.5,
)  # correlations that make a copy worth a closer look


def find_place(image: Image.Image, copy: Image.Image) -> Place | None:
    """Find where a copy of an RGB picture lies in it; None where it does not.

    Of a copy with the picture's ratio, the whole picture is tried first. Otherwise crops of all
    widths are laid over a small version of the picture wherever they fit, by correlation, and the
    best is refined on a larger one.
    """
    whole = (0.0, 0.0, float(image.width), float(image.height))
    ratio = copy.width / copy.height / (image.width / image.height)
    if (
        abs(ratio - 1) <= WHOLE_RATIO_TOLERANCE
        and _whole_correlation(image, copy) >= MIN_WHOLE_CORRELATION
    ):
        return whole
    widths = np.exp(np.arange(np.log(MIN_WIDTH_SHARE), WIDTH_STEP_SHARE, WIDTH_STEP_SHARE))
    coarse_match = _best_placement(image, copy, COARSE_SEARCH_SIDE, np.minimum(widths, 1.0))
    if coarse_match is None:
        return whole if abs(ratio - 1) <= WHOLE_RATIO_TOLERANCE else None
    nearby_widths = coarse_match[1] * np.linspace(1 - WIDTH_STEP_SHARE, 1 + WIDTH_STEP_SHARE, 11)
    fine_match = (
        _best_placement(
            image,
            copy,
            FINE_SEARCH_SIDE,
            nearby_widths[nearby_widths <= 1.0 + WIDTH_STEP_SHARE / 4],
        )
        or coarse_match
    )
    return fine_match[2] if fine_match[0] >= MIN_CROP_CORRELATION else None


def _whole_correlation(image: Image.Image, copy: Image.Image) -> float:
    """Correlate a picture with a copy of all of it."""
    first, second = (
        _grey_array(
            compared_image.resize((COARSE_SEARCH_SIDE, COARSE_SEARCH_SIDE), Image.Resampling.BOX)
        )
        for compared_image in (image, copy)
    )
    spread = float(first.std() * second.std())
    products = (first - first.mean()) * (second - second.mean())
    return float(products.mean()) / spread if spread > 0 else 0.0


def _best_placement(
    image: Image.Image, copy: Image.Image, side: int, widths: Iterable[float]
) -> tuple[float, float, Place] | None:
    """Find the best width and place of a copy: the correlation, the width's share, the place."""
    scale = side / max(image.size)
    small = (max(4, round(image.width * scale)), max(4, round(image.height * scale)))
    ground = _grey_array(image.resize(small, Image.Resampling.BOX))
    best: tuple[float, float, Place] | None = None
    for share in widths:
        size = (round(small[0] * share), round(small[0] * share * copy.height / copy.width))
        if min(size) < 8 or size[0] > small[0] or size[1] > small[1]:
            continue
        part = _grey_array(copy.resize(size, Image.Resampling.BOX))
        scores = _correlation_map(ground, part)
        top, left = np.unravel_index(int(scores.argmax()), scores.shape)
        score = float(scores[top, left])
        if best is None or score > best[0]:
            x, y = left / small[0] * image.width, top / small[1] * image.height
            wide, high = size[0] / small[0] * image.width, size[1] / small[1] * image.height
            best = (score, float(share), (float(x), float(y), float(x + wide), float(y + high)))
    return best


def _correlation_map(ground: FloatArray, part: FloatArray) -> FloatArray:
    """Correlate a part with every place of the ground where it fits; each −1..1."""
    high, wide = part.shape
    shape = tuple(
        int(2 ** np.ceil(np.log2(a + b))) for a, b in zip(ground.shape, part.shape, strict=True)
    )
    centred_part = part - part.mean()
    spectrum = np.fft.rfft2(ground - ground.mean(), shape)
    product = np.fft.irfft2(spectrum * np.conj(np.fft.rfft2(centred_part, shape)), shape)
    fits = (ground.shape[0] - high + 1, ground.shape[1] - wide + 1)
    deviation = np.sqrt(
        np.maximum(_window_mean(ground**2, part) - _window_mean(ground, part) ** 2, 1e-6)
    )
    spread = deviation * max(float(part.std()), 1e-3) * part.size
    scores: FloatArray = (product[: fits[0], : fits[1]] / spread).astype(np.float32)
    return scores


def _window_mean(values: FloatArray, part: FloatArray) -> FloatArray:
    """Average values over every window of the part's size."""
    high, wide = part.shape
    sums = np.pad(values.astype(np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    total = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    average: FloatArray = (total / part.size).astype(np.float32)
    return average


def _grey_array(image: Image.Image) -> FloatArray:
    return np.asarray(image.convert("L"), dtype=np.float32)
