"""sRGB and CIE LAB, both ways.

Sources: IEC 61966-2-1 (the sRGB curve and primaries, white D65) and CIE 15 (L*a*b* of 1976).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from inference.images.arrays import FloatArray

#: Linear sRGB to XYZ, rows X, Y, Z.
RGB_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ],
    dtype=np.float32,
)
XYZ_TO_RGB = np.linalg.inv(RGB_TO_XYZ.astype(np.float64)).astype(np.float32)
#: XYZ of the white point: what the matrix makes of white, so that white has a* = b* = 0.
WHITE_POINT_XYZ = RGB_TO_XYZ.sum(axis=1)
#: Where the cube root of LAB gives way to a straight line.
LAB_KNEE = 6 / 29


#: Where sRGB's curve leaves its straight beginning, and how steep that is.
SRGB_KNEE, SRGB_SLOPE = 0.0031308, 12.92
#: Steps between 0 and 1 at which curves are tabulated: a 65,536th moves no colour by a tenth of
#: what 8 bits tell apart.
CURVE_STEPS = 2**16 - 1


def _tabulate(curve: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]) -> FloatArray:
    table: FloatArray = curve(np.arange(CURVE_STEPS + 1) / CURVE_STEPS).astype(np.float32)
    return table


def _linearise(srgb: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _curve(linear: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(linear <= SRGB_KNEE, SRGB_SLOPE * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


#: sRGB to linear light, and the other way.
LINEAR_LIGHT, SRGB_CURVE = map(_tabulate, (_linearise, _curve))
RGB_TO_WHITE_SHARES = (RGB_TO_XYZ / WHITE_POINT_XYZ[:, None]).T
WHITE_SHARES_TO_RGB = (XYZ_TO_RGB * WHITE_POINT_XYZ[None, :]).T


def _look_up(table: FloatArray, values: FloatArray) -> FloatArray:
    """Apply a tabulated curve to values of 0–1; others take its ends."""
    positions = values * np.float32(CURVE_STEPS)
    positions += np.float32(0.5)
    indices = np.clip(positions, 0, CURVE_STEPS, out=positions).astype(np.uint16)
    curved_values: FloatArray = np.take(table, indices)
    return curved_values


def to_lab(rgb: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """Return LAB for sRGB 0–1, both HWC float32: L* 0–100, a* and b* about −128–127."""
    linear = _look_up(LINEAR_LIGHT, rgb.astype(np.float32, copy=False))
    shares = linear @ RGB_TO_WHITE_SHARES
    roots = np.where(
        shares > LAB_KNEE**3, np.cbrt(shares), shares / (3 * LAB_KNEE**2) + 4 / 29
    ).astype(np.float32, copy=False)
    lab: FloatArray = np.empty_like(roots)
    x, y, z = roots[..., 0], roots[..., 1], roots[..., 2]
    lab[..., 0] = 116 * y - 16
    lab[..., 1] = 500 * (x - y)
    lab[..., 2] = 200 * (y - z)
    return lab


def to_rgb(lab: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """Return sRGB 0–1 for LAB, both HWC float32; colours outside sRGB are clipped."""
    roots = np.empty(lab.shape, np.float32)
    roots[..., 1] = (lab[..., 0] + 16) / 116
    roots[..., 0] = roots[..., 1] + lab[..., 1] / 500
    roots[..., 2] = roots[..., 1] - lab[..., 2] / 200
    shares = np.where(
        roots > LAB_KNEE, roots * roots * roots, 3 * LAB_KNEE**2 * (roots - 4 / 29)
    ).astype(np.float32, copy=False)
    linear = shares @ WHITE_SHARES_TO_RGB
    # The curve begins as a straight line, too steep for the table.
    line = np.clip(linear, 0, SRGB_KNEE) * np.float32(SRGB_SLOPE)
    return np.where(linear > SRGB_KNEE, _look_up(SRGB_CURVE, linear), line)
