"""Where a copy of a picture, perhaps scaled and cropped, lies in the picture."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image

from inference.pictures.arrays import FloatArray

Place = tuple[float, float, float, float]
"""Left, top, right, bottom in the picture's pixels."""

COARSE, FINE = 96, 320  # pixels of the picture's longer side in the two searches
LEAST_WIDTH = 0.35  # of the picture's width that a crop shows at least
STEP = 0.025  # between two widths tried, as a share
WHOLE_RATIO = 0.02  # ratios closer than this are the whole picture scaled
WHOLE_LIKENESS, LIKENESS = 0.6, 0.5  # correlations that make a copy worth a closer look


def find_place(picture: Image.Image, copy: Image.Image) -> Place | None:
    """Find where a copy of an RGB picture lies in it; None where it does not.

    Of a copy with the picture's ratio, the whole picture is tried first. Otherwise crops of all
    widths are laid over a small version of the picture wherever they fit, by correlation, and the
    best is refined on a larger one.
    """
    whole = (0.0, 0.0, float(picture.width), float(picture.height))
    ratio = copy.width / copy.height / (picture.width / picture.height)
    if abs(ratio - 1) <= WHOLE_RATIO and _likeness(picture, copy) >= WHOLE_LIKENESS:
        return whole
    widths = np.exp(np.arange(np.log(LEAST_WIDTH), STEP, STEP))
    found = _best(picture, copy, COARSE, np.minimum(widths, 1.0))
    if found is None:
        return whole if abs(ratio - 1) <= WHOLE_RATIO else None
    near = found[1] * np.linspace(1 - STEP, 1 + STEP, 11)
    refined = _best(picture, copy, FINE, near[near <= 1.0 + STEP / 4]) or found
    return refined[2] if refined[0] >= LIKENESS else None


def _likeness(picture: Image.Image, copy: Image.Image) -> float:
    """Correlate a picture with a copy of all of it."""
    first, second = (
        _grey(one.resize((COARSE, COARSE), Image.Resampling.BOX)) for one in (picture, copy)
    )
    spread = float(first.std() * second.std())
    both = (first - first.mean()) * (second - second.mean())
    return float(both.mean()) / spread if spread > 0 else 0.0


def _best(
    picture: Image.Image, copy: Image.Image, side: int, widths: Iterable[float]
) -> tuple[float, float, Place] | None:
    """Find the best width and place of a copy: the correlation, the width's share, the place."""
    scale = side / max(picture.size)
    small = (max(4, round(picture.width * scale)), max(4, round(picture.height * scale)))
    ground = _grey(picture.resize(small, Image.Resampling.BOX))
    best: tuple[float, float, Place] | None = None
    for share in widths:
        size = (round(small[0] * share), round(small[0] * share * copy.height / copy.width))
        if min(size) < 8 or size[0] > small[0] or size[1] > small[1]:
            continue
        part = _grey(copy.resize(size, Image.Resampling.BOX))
        scores = _correlation(ground, part)
        top, left = np.unravel_index(int(scores.argmax()), scores.shape)
        score = float(scores[top, left])
        if best is None or score > best[0]:
            x, y = left / small[0] * picture.width, top / small[1] * picture.height
            wide, high = size[0] / small[0] * picture.width, size[1] / small[1] * picture.height
            best = (score, float(share), (float(x), float(y), float(x + wide), float(y + high)))
    return best


def _correlation(ground: FloatArray, part: FloatArray) -> FloatArray:
    """Correlate a part with every place of the ground where it fits; each −1..1."""
    high, wide = part.shape
    shape = tuple(
        int(2 ** np.ceil(np.log2(a + b))) for a, b in zip(ground.shape, part.shape, strict=True)
    )
    centred = part - part.mean()
    spectrum = np.fft.rfft2(ground - ground.mean(), shape)
    product = np.fft.irfft2(spectrum * np.conj(np.fft.rfft2(centred, shape)), shape)
    fits = (ground.shape[0] - high + 1, ground.shape[1] - wide + 1)
    deviation = np.sqrt(np.maximum(_window(ground**2, part) - _window(ground, part) ** 2, 1e-6))
    spread = deviation * max(float(part.std()), 1e-3) * part.size
    scores: FloatArray = (product[: fits[0], : fits[1]] / spread).astype(np.float32)
    return scores


def _window(values: FloatArray, part: FloatArray) -> FloatArray:
    """Average values over every window of the part's size."""
    high, wide = part.shape
    sums = np.pad(values.astype(np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    total = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    average: FloatArray = (total / part.size).astype(np.float32)
    return average


def _grey(picture: Image.Image) -> FloatArray:
    return np.asarray(picture.convert("L"), dtype=np.float32)
