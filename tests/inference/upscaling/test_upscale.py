import numpy as np
import pytest
import torch
from PIL import Image

from inference.upscaling.tiling.plan import (
    NetworkTraits,
    Resampler,
    ScaleBy,
    ScaleTo,
    UpscalePlan,
    final_size,
)
from inference.upscaling.tiling.tiles import TileWork
from inference.upscaling.upscale import drive_upscale, upscale_image

NEAREST_X4 = NetworkTraits("nearest", 4, 32, 4, False)
NEAREST_X2 = NetworkTraits("double", 2, 32, 4, True)
INVERT = NetworkTraits("invert", 1, 32, 4, False)

SCALES = {"nearest": 4, "double": 2, "invert": 1}


def run(works: list[TileWork]) -> list[torch.Tensor]:
    """Enlarge each tile by repeating its pixels; `invert` turns it into its negative instead."""
    key = works[0].key
    scale = SCALES[key]
    batch = torch.stack([each.tile for each in works])
    large = batch.repeat_interleave(scale, dim=2).repeat_interleave(scale, dim=3)
    return list(1 - large if key == "invert" else large)


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    shape = (height, width, len(mode))
    return Image.fromarray(np.random.default_rng(2).integers(0, 256, shape, np.uint8))


@pytest.mark.parametrize("network", [NEAREST_X4, NEAREST_X2])
@pytest.mark.parametrize("size", [(1, 1), (8, 700), (65, 40), (33, 129)])
def test_tiles_cover_any_size_without_a_seam(network: NetworkTraits, size: tuple[int, int]) -> None:
    image = noise(*size)

    found = drive_upscale(upscale_image(image, UpscalePlan(network, ScaleBy(network.scale))), run)

    expected = image.resize(
        (size[0] * network.scale, size[1] * network.scale), Image.Resampling.NEAREST
    )
    np.testing.assert_array_equal(found, expected)


def test_8_by_5000() -> None:
    found = drive_upscale(upscale_image(noise(8, 5000), UpscalePlan(NEAREST_X2, ScaleBy(2))), run)

    assert found.size == (16, 10000)


@pytest.mark.parametrize(
    "aim",
    [
        ScaleBy(1),
        ScaleBy(1.37),
        ScaleBy(6.5),
        ScaleTo(120, 90),
        ScaleTo(9, 5),
        ScaleTo(7, 70, False),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("upscaler", [NEAREST_X4, INVERT, Resampler.LANCZOS, Resampler.NEAREST])
def test_the_result_has_the_planned_size_and_mode(aim, mode, upscaler) -> None:
    image = noise(24, 17, mode)
    plan = UpscalePlan(upscaler, aim)

    found = drive_upscale(upscale_image(image, plan), run)

    assert final_size(image.size, plan) == found.size
    assert found.mode == mode


def test_plain_resamplers_need_no_network() -> None:
    image = noise(20, 10)

    for method, filter_ in [
        (Resampler.LANCZOS, Image.Resampling.LANCZOS),
        (Resampler.NEAREST, Image.Resampling.NEAREST),
    ]:
        found = drive_upscale(upscale_image(image, UpscalePlan(method, ScaleBy(3))), run)
        np.testing.assert_array_equal(found, image.resize((60, 30), filter_))


def test_overshoot_is_brought_down_by_lanczos() -> None:
    image = noise(20, 10)

    found = drive_upscale(upscale_image(image, UpscalePlan(NEAREST_X4, ScaleBy(3))), run)

    large = image.resize((80, 40), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(found, large.resize((60, 30), Image.Resampling.LANCZOS))


def test_crops_evenly() -> None:
    image = noise(30, 10)

    found = drive_upscale(upscale_image(image, UpscalePlan(NEAREST_X4, ScaleTo(40, 40))), run)

    whole = image.resize((120, 40), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(found, whole.crop((40, 0, 80, 40)))


def test_a_second_upscaler_shows_by_its_visibility() -> None:
    image = Image.new("RGB", (10, 10), (40, 80, 240))
    plan = UpscalePlan(NEAREST_X2, ScaleBy(1), second=INVERT, visibility=0.25)

    found = np.asarray(drive_upscale(upscale_image(image, plan), run)).astype(int)

    expected = np.array([40 * 0.75 + 215 * 0.25, 80 * 0.75 + 175 * 0.25, 240 * 0.75 + 15 * 0.25])
    assert np.abs(found - expected).max() <= 1


def test_restores_at_unchanged_size() -> None:
    image = noise(40, 50)

    found = drive_upscale(upscale_image(image, UpscalePlan(INVERT, ScaleBy(1))), run)

    np.testing.assert_array_equal(found, 255 - np.asarray(image))


@pytest.mark.parametrize("by_network", [True, False])
def test_transparency_is_enlarged_apart_and_put_back(by_network: bool) -> None:
    image = Image.new("RGBA", (40, 40), (0, 255, 0, 0))
    image.paste((200, 10, 30, 255), (10, 10, 30, 30))
    plan = UpscalePlan(NEAREST_X4, ScaleBy(4), alpha_by_network=by_network)

    found = np.asarray(drive_upscale(upscale_image(image, plan), run))

    assert found[80, 80].tolist() == [200, 10, 30, 255]
    assert found[8, 8, 3] == 0
    assert set(found[..., 1].ravel().tolist()) == {10}


def test_an_opaque_rgba_picture_costs_no_second_run() -> None:
    work = upscale_image(
        Image.new("RGBA", (20, 20), (9, 9, 9, 255)), UpscalePlan(NEAREST_X4, ScaleBy(4))
    )

    [asked] = next(work)
    with pytest.raises(StopIteration) as stop:
        work.send(run([asked]))

    assert stop.value.value.mode == "RGBA"
    assert stop.value.value.getextrema()[3] == (255, 255)


def test_asks_for_no_more_tiles_at_once_than_wanted() -> None:
    work = upscale_image(noise(200, 200), UpscalePlan(NEAREST_X4, ScaleBy(4)), max_tiles=3)
    asked = next(work)
    counts = []

    with pytest.raises(StopIteration):
        while True:
            counts.append(len(asked))
            asked = work.send(run(asked))

    assert max(counts) == 3
    assert sum(counts) == len(counts) * 3 - (3 - counts[-1])


def test_tiles_of_several_pictures_share_a_batch() -> None:
    images = [noise(20, 20), noise(31, 25)]
    works = [upscale_image(image, UpscalePlan(NEAREST_X4, ScaleBy(4))) for image in images]
    asked: list[TileWork] = [next(work)[0] for work in works]

    results = run(asked)

    for work, image, result in zip(works, images, results, strict=True):
        with pytest.raises(StopIteration) as stop:
            work.send([result])
        expected = image.resize((image.width * 4, image.height * 4), Image.Resampling.NEAREST)
        np.testing.assert_array_equal(stop.value.value, expected)


def test_notices_a_missing_result() -> None:
    work = upscale_image(noise(100, 20), UpscalePlan(NEAREST_X4, ScaleBy(4)))
    next(work)

    with pytest.raises(ValueError, match="shorter"):
        work.send([])


def test_closing_early_leaves_nothing_behind() -> None:
    work = upscale_image(noise(100, 100), UpscalePlan(NEAREST_X4, ScaleBy(4)))
    next(work)

    work.close()

    with pytest.raises(StopIteration):
        next(work)
