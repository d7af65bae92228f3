import io

import pytest
import torch
from PIL import Image

from inference.operations.shared.preview_file import (
    MAX_PREVIEW_BYTES,
    PREVIEW_SIDE_PIXELS,
    encode_small_jpeg,
    make_preview_sheet,
)


@pytest.mark.parametrize(
    ("count", "size"), [(1, (320, 160)), (2, (320, 80)), (3, (320, 160)), (4, (320, 160))]
)
def test_a_batch_lies_side_by_side(count, size):
    made = make_preview_sheet([Image.new("RGB", (64, 32), "red")] * count)

    assert size == made.size
    assert made.getpixel((0, 0)) == (255, 0, 0)


def test_the_wildest_picture_stays_small():
    noise = torch.randint(
        0, 256, (PREVIEW_SIDE_PIXELS, PREVIEW_SIDE_PIXELS, 3), dtype=torch.uint8
    ).numpy()
    data = encode_small_jpeg(
        Image.fromarray(noise).resize(
            (PREVIEW_SIDE_PIXELS * 4, PREVIEW_SIDE_PIXELS * 4), Image.Resampling.NEAREST
        )
    )

    assert len(data) <= MAX_PREVIEW_BYTES
    assert Image.open(io.BytesIO(data)).format == "JPEG"
