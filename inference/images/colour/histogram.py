"""Give values the distribution of others.

Source: the cumulative matching of Gonzalez and Woods, Digital Image Processing, section 3.3, with
linear interpolation between quantiles, as scikit-image's match_histograms (BSD) does it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from inference.images.arrays import RealArray

#: Up to so many values each is told from every other; of more, those of one bin are not.
MAX_SORTED_VALUES = 2**16
#: Bins into which the range of many values is cut.
BINS = 2**18


def match_histogram(values: RealArray, template: RealArray) -> RealArray:
    """Map values so that their distribution becomes the template's.

    Any real range, in float32 where they are; the result has the shape of `values`, and the two may
    differ in shape and number. An empty template maps nothing. Many values are told apart by a
    262,144th of their range.
    """
    dtype = np.result_type(values, np.float32)
    if not values.size or not template.size:
        return values.astype(dtype)
    levels, level_quantiles = _measure_quantiles(template)
    if values.size <= MAX_SORTED_VALUES:
        _, indices, counts = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    else:
        indices, _, _ = _sort_into_bins(values.ravel())
        counts = np.bincount(indices, minlength=BINS)
    quantiles = np.cumsum(counts) / values.size
    mapped_levels = np.interp(quantiles, level_quantiles, levels).astype(dtype)
    return mapped_levels.take(indices).reshape(values.shape)


def match_channels(values: RealArray, template: RealArray) -> RealArray:
    """Match each channel (last axis) on its own."""
    matched_values = np.empty(values.shape, np.result_type(values, np.float32))
    for channel in range(values.shape[-1]):
        matched_values[..., channel] = match_histogram(values[..., channel], template[..., channel])
    return matched_values


def _measure_quantiles(values: RealArray) -> tuple[RealArray, npt.NDArray[np.float64]]:
    """List the levels that there are, with the share of values up to each."""
    if values.size <= MAX_SORTED_VALUES:
        levels, counts = np.unique(values.ravel(), return_counts=True)
        return levels, np.cumsum(counts) / values.size
    bins, low, width = _sort_into_bins(values.ravel())
    counts = np.bincount(bins, minlength=BINS)
    filled_bins = np.flatnonzero(counts)
    return low + filled_bins * width, np.cumsum(counts[filled_bins]) / values.size


def _sort_into_bins(values: RealArray) -> tuple[npt.NDArray[np.intp], float, float]:
    """Give each value's bin of the range that all of them span, its least, and a bin's width."""
    values = values.astype(np.result_type(values, np.float32), copy=False)
    low, high = float(values.min()), float(values.max())
    scale = (BINS - 1) / (high - low) if high > low else 0.0
    positions = values - np.asarray(low, values.dtype)
    positions *= np.asarray(scale, values.dtype)
    positions += np.asarray(0.5, values.dtype)
    return positions.astype(np.intp), low, (high - low) / (BINS - 1)
