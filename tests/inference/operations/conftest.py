import numpy as np
import pytest
from PIL import Image


def gradient(width, height):
    """A smooth picture whose every pixel has its own colour."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([x * 255 / width, y * 255 / height, 255 - (x + y) * 120 / width], axis=-1)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="session")
def photo():
    """A picture of a size that is no multiple of 8."""
    return gradient(100, 70)


@pytest.fixture(scope="session")
def square():
    """A picture of the tiny checkpoint's own size."""
    return gradient(64, 64)


@pytest.fixture(scope="session")
def box_mask():
    """Make masks that are white in a box."""

    def make(size, box, grey=255):
        mask = Image.new("L", size, 0)
        mask.paste(grey, box)
        return mask

    return make
