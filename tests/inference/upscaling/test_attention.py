"""Real-CUGAN's averages over a picture cut into tiles."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from spandrel.architectures.RealCUGAN import UpCunet2x, UpCunet3x, UpCunet4x

from inference.upscaling.attention import BlockScale
from inference.upscaling.tiling.plan import ScaleBy, UpscalePlan, count_tiles
from inference.upscaling.tiling.tiles import TileRegion, TileWork, plan_tiles
from inference.upscaling.upscale import drive_upscale, upscale_image
from inference.upscaling.upscaler import load_upscaler


@pytest.fixture(scope="module", params=[UpCunet2x, UpCunet3x, UpCunet4x])
def network(request, tmp_path_factory):
    """A Real-CUGAN with random weights whose attention weighs heavily."""
    path = tmp_path_factory.mktemp("weights") / "cugan.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(4)
        state = request.param().state_dict()
    for name, value in state.items():
        if "seblock" in name and name.endswith("weight"):
            value *= 30
    save_file(state, path)
    return load_upscaler(path, "cpu", "float32")


@pytest.fixture(scope="module")
def image():
    """Dark on the left, bright on the right: its tiles' averages have little in common."""
    values = np.random.default_rng(3).integers(0, 60, (96, 160, 3))
    values[:, 80:] += 180
    return Image.fromarray(values.astype(np.uint8))


def enlarged(network, image, **changes):
    traits = replace(network.network_traits("cugan"), **changes)
    found = drive_upscale(
        upscale_image(image, UpscalePlan(traits, ScaleBy(traits.scale))), network.process_tiles
    )
    return np.asarray(found).astype(int)


def test_tiles_that_share_averages_make_the_untiled_picture(network, image):
    whole = enlarged(network, image)
    shared = np.abs(enlarged(network, image, tile=32) - whole)
    apart = np.abs(enlarged(network, image, tile=32, surveys=0) - whole)
    assert shared.max() <= 1
    assert apart.max() > 4


def test_tiles_of_one_batch_keep_their_own_pictures_averages(network):
    work = [
        TileWork("cugan", torch.full((3, 32, 32), shade), averages=torch.rand(320) * shade)
        for shade in (0.2, 0.9)
    ]
    together = network.process_tiles(work)
    for one, found in zip(work, together, strict=True):
        torch.testing.assert_close(network.process_tiles([one])[0], found, atol=1e-5, rtol=0)


def test_a_survey_stops_at_the_first_block_without_averages(network):
    everywhere = TileRegion(float("-inf"), float("inf"), float("-inf"), float("inf"))
    known = None
    widths = []
    for _ in range(network.network_traits("cugan").surveys):
        (found,) = network.process_tiles(
            [TileWork("cugan", torch.rand(3, 32, 32), everywhere, known)]
        )
        assert found.shape[0] == 2
        mean = found[0] / found[1]
        widths.append(len(mean))
        known = mean if known is None else torch.cat([known, mean])
    assert widths == [64, 128, 128, 64]
    with pytest.raises(ValueError, match="Every block has its averages"):
        network.process_tiles([TileWork("cugan", torch.rand(3, 32, 32), everywhere, known[:384])])


def test_surveys_are_counted_where_there_are_several_tiles(network):
    traits = network.network_traits("cugan")
    plan = UpscalePlan(traits, ScaleBy(traits.scale))
    assert count_tiles((500, 500), plan) == 1
    assert 5 * len(plan_tiles(1200, 600, traits.tile, traits.overlap)) == count_tiles(
        (1200, 600), plan
    )


def test_cells_lie_where_the_map_says():
    scale = BlockScale(pitch=2.0, margin=12.0)
    assert slice(0, 44) == scale.cell_range(float("-inf"), float("inf"), 44)
    assert slice(6, 22) == scale.cell_range(0, 32, 44)
    assert slice(22, 44) == scale.cell_range(32, float("inf"), 44)
