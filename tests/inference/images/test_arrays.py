from __future__ import annotations

import numpy as np
import pytest

from inference.images.arrays import to_array, to_image
from tests.inference.images.samples import noise


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_there_and_back(mode):
    image = noise(30, 20, mode=mode)
    array = to_array(image)
    assert np.float32 == array.dtype
    assert array.shape[:2] == (20, 30)
    assert array.min() >= 0
    assert array.max() <= 1
    assert image.tobytes() == to_image(array).tobytes()


def test_out_of_range_is_clipped():
    assert np.asarray(to_image(np.array([[-1.0, 2.0]]))).tolist() == [[0, 255]]
