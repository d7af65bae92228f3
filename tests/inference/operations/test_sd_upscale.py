import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from inference.api.errors import JobError
from inference.api.infotext.text import parse_infotext
from inference.api.jobs import Img2ImgJob, UpscaleJob
from inference.engine.work import DenoiseWork
from inference.images.errors import FullyTransparent
from inference.images.tiles import combine_tiles, cut_tiles
from inference.operations.sd_upscale import sd_upscale, tile_grid
from inference.operations.upscale import plan_upscale


def job(**fields):
    settings = {"mode": "redraw", "upscaler": "lanczos", "steps": 2, "seed": 9, "overlap": 16}
    return UpscaleJob(**settings | fields)


def has_note(outcome, words):
    return any(words in str(note) for note in outcome.notes)


def test_it_is_an_enlargement_and_an_img2img_of_every_tile(run_job, square):
    (made,) = run_job(job(prompt="a cat"), {"image": square}).images
    large = square.resize((128, 128), Image.Resampling.LANCZOS)
    grid = tile_grid((128, 128), 64, 16)
    tiles = [
        run_job(
            Img2ImgJob(prompt="a cat", steps=2, seed=9 + number, strength=0.3), {"image": tile}
        ).images[0]
        for number, tile in enumerate(cut_tiles(large, grid))
    ]
    expected = np.asarray(combine_tiles(grid, [tile.image for tile in tiles]), int)
    assert len(tiles) == 9
    assert np.abs(expected - np.asarray(made.image, int)).max() <= 1


@pytest.mark.parametrize(
    ("size", "factor", "expected"),
    [
        ((100, 70), 2.0, (200, 140)),
        ((100, 100), 1.0, (100, 100)),
        ((100, 37), 2.0, (200, 74)),
        ((65, 64), 1.01, (66, 65)),
        ((60, 60), 1.0, (60, 60)),
    ],
)
def test_the_size_is_the_one_asked_for(run_job, photo, size, factor, expected):
    image = photo.resize(size)
    (made,) = run_job(job(factor=factor, strength=0.0), {"image": image}).images
    assert made.image.size == expected
    large = np.asarray(image.resize(expected, Image.Resampling.LANCZOS), int)
    assert np.abs(large - np.asarray(made.image, int)).max() <= 1


def test_a_size_to_reach_is_reached(run_job, photo):
    (made,) = run_job(job(width=150, height=131, crop=True), {"image": photo}).images
    assert made.image.size == (150, 131)


def test_strength_0_is_the_enlargement_alone(run_job, square):
    (made,) = run_job(job(strength=0.0), {"image": square}).images
    expected = np.asarray(square.resize((128, 128), Image.Resampling.LANCZOS), int)
    assert np.abs(expected - np.asarray(made.image, int)).max() <= 1


def test_progress_counts_every_tile(run_job, square):
    progress = []
    run_job(job(steps=3), {"image": square}, progress=progress)
    assert {steps for _, steps in progress} == {27}


def test_it_says_how_it_was_done(run_job, square):
    outcome = run_job(job(strength=0.6, overlap=64), {"image": square})
    values = parse_infotext(outcome.images[0].infotext).values
    assert values["SD upscale upscaler"] == "lanczos"
    assert values["SD upscale overlap"] == "64"
    assert has_note(outcome, "tiles of 64 x 64")
    assert has_note(outcome, "overlap became 32")
    assert has_note(outcome, "whole prompt on its own")


def test_bad_input_is_refused(run_job, square):
    with pytest.raises(JobError, match="larger factor"):
        run_job(job(), {"image": Image.new("RGB", (28, 64))})
    with pytest.raises(FullyTransparent):
        run_job(job(), {"image": Image.new("RGBA", (64, 64))})
    with pytest.raises(JobError, match="largest factor for this picture is 4"):
        run_job(job(factor=8.0), {"image": Image.new("RGB", (512, 512))})


@given(st.integers(8, 200), st.integers(8, 200), st.integers(8, 64), st.integers(0, 256))
def test_tiles_are_whole_cells_and_cover_the_picture(across, down, tile, overlap):
    grid = tile_grid((across * 8, down * 8), tile * 8, overlap)
    assert grid.tile_width % 8 == 0
    assert grid.tile_height % 8 == 0
    assert max(x for _, _, x, _ in grid.tile_boxes) == across * 8
    assert max(y for _, _, _, y in grid.tile_boxes) == down * 8
    assert len(grid) <= 4 * (across * 8 // grid.tile_width + 1) * (down * 8 // grid.tile_height + 1)


def test_with_a_deep_overlap_tiles_end_as_the_enlargement_does(studio, square):
    plan = plan_upscale(job(overlap=32), studio)
    operation = sd_upscale(job(overlap=32), {"image": square}, studio, plan)
    works = next(operation).works
    assert all(isinstance(work, DenoiseWork) for work in works)
    first, middle = works[0].mask, works[4].mask
    assert first.shape == (8, 8)
    assert first[:7, :7].all()
    assert not first[7].any()
    assert not first[:, 7].any()
    assert middle[1:7, 1:7].all()
    assert middle.sum() == 36


@pytest.mark.parametrize("settings", [{"overlap": 31}, {"overlap": 32, "factor": 1.0}])
def test_with_little_overlap_or_one_tile_every_cell_is_redrawn(studio, square, settings):
    plan = plan_upscale(job(**settings), studio)
    works = next(sd_upscale(job(**settings), {"image": square}, studio, plan)).works
    assert all(work.mask is None for work in works)
