"""sRGB and CIE LAB, both ways.

Sources: IEC 61966-2-1 (the sRGB curve and primaries, white D65) and CIE 15 (L*a*b* of 1976).
"""

from __future__ import annotations

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


def to_lab(rgb: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """Return LAB for sRGB 0–1, both HWC float32: L* 0–100, a* and b* about −128–127."""
    values = rgb.astype(np.float32)
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    ratio = (linear @ RGB_TO_XYZ.T) / WHITE_POINT_XYZ
    line = ratio / (3 * LAB_KNEE**2) + 4 / 29
    f = np.where(ratio > LAB_KNEE**3, np.cbrt(ratio), line)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


def to_rgb(lab: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """Return sRGB 0–1 for LAB, both HWC float32; colours outside sRGB are clipped."""
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    ratio = np.where(f > LAB_KNEE, f**3, 3 * LAB_KNEE**2 * (f - 4 / 29))
    linear = np.clip((ratio * WHITE_POINT_XYZ) @ XYZ_TO_RGB.T, 0, 1)
    curved_rgb = 1.055 * linear ** (1 / 2.4) - 0.055
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, curved_rgb)
    return np.asarray(np.clip(srgb, 0, 1), dtype=np.float32)
