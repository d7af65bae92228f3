"""Give values the distribution of others.

Source: the cumulative matching of Gonzalez and Woods, Digital Image Processing, section 3.3, with
linear interpolation between quantiles, as scikit-image's match_histograms (BSD) does it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def match_histogram(
    values: npt.NDArray[Any], template: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """Map values so that their distribution becomes the template's; shape of `values`, float64.

    Any real range; the two may differ in shape and number. An empty template maps nothing.
    """
    if not values.size or not template.size:
        return values.astype(np.float64)
    _, index, counts = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    levels, level_counts = np.unique(template.ravel(), return_counts=True)
    quantiles = np.cumsum(counts) / values.size
    level_quantiles = np.cumsum(level_counts) / template.size
    mapped_values: npt.NDArray[np.float64] = np.interp(quantiles, level_quantiles, levels)
    return mapped_values[index].reshape(values.shape)


def match_channels(values: npt.NDArray[Any], template: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Match each channel (last axis) on its own."""
    channels = [match_histogram(values[..., c], template[..., c]) for c in range(values.shape[-1])]
    return np.stack(channels, axis=-1)
