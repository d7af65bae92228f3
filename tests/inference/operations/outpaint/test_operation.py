import numpy as np
import pytest
from PIL import Image

from inference.api.infotext.text import parse_infotext
from inference.api.jobs import OutpaintJob
from inference.images.errors import CanvasTooLarge, FullyTransparent, NothingToExtend

METHODS = ["mk2", "poor man's"]


def job(**fields):
    return OutpaintJob(**{"steps": 2, "seed": 4, "prompt": "a red apple", "mask_blur": 0} | fields)


def only(outcome):
    (made,) = outcome.images
    return made.image


def has_note(outcome, words):
    return any(words in str(note) for note in outcome.notes)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("amounts", "size", "place"),
    [
        ({"left": 64}, (128, 64), (64, 0)),
        ({"right": 60}, (128, 64), (0, 0)),
        ({"up": 64}, (64, 128), (0, 64)),
        ({"down": 8}, (64, 128), (0, 0)),
        ({"left": 32, "right": 32, "up": 32, "down": 32}, (128, 128), (32, 32)),
    ],
)
def test_the_source_lies_on_a_grown_canvas(run_job, square, method, amounts, size, place):
    result = only(run_job(job(method=method, **amounts), {"image": square}))
    assert size == result.size
    box = (*place, place[0] + 64, place[1] + 64)
    assert np.array_equal(np.asarray(square), np.asarray(result.crop(box)))
    assert np.asarray(result).std() > 1


@pytest.mark.parametrize("method", METHODS)
def test_the_source_is_untouched_beyond_the_reach_of_the_blur(run_job, method):
    """A blur of 1: the mask reaches 1 or 2 px into the source, its gaussian 10 or 5 px further."""
    rng = np.random.default_rng(1)
    source = Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    result = only(run_job(job(method=method, mask_blur=1, left=64), {"image": source}))
    moved = (np.asarray(source) != np.asarray(result)[:, 64:]).any(axis=-1)
    assert not moved[:, 12:].any()
    assert moved[:, 0].any()


@pytest.mark.parametrize("method", METHODS)
def test_odd_sizes_keep_the_axis_that_does_not_grow(run_job, photo, method):
    result = only(run_job(job(method=method, left=28), {"image": photo}))
    assert result.size == (128, 70)
    assert np.array_equal(np.asarray(photo), np.asarray(result.crop((28, 0, 128, 70))))


@pytest.mark.parametrize("method", METHODS)
def test_no_black_is_left_on_the_canvas(run_job, method):
    white = Image.new("RGB", (64, 64), (255, 255, 255))
    settings = job(method=method, left=64, up=64, strength=0.0)
    result = np.asarray(only(run_job(settings, {"image": white})), int)
    assert result.min() > 100


def test_presets_are_exact(run_job, photo):
    for preset, size in (
        ("make square", (100, 100)),
        ("zoom out 1.5x", (150, 105)),
        ("to 16:9", (125, 70)),
        ("pan right", (125, 70)),
    ):
        outcome = run_job(job(preset=preset, steps=1), {"image": photo})
        assert only(outcome).size == size
        assert not outcome.notes or not has_note(outcome, "instead of")


def test_rounding_is_said(run_job, photo):
    outcome = run_job(job(left=10), {"image": photo})
    assert has_note(outcome, "left 28 instead of left 10")


def test_a_preset_decides_and_says_so(run_job, photo):
    outcome = run_job(job(preset="make square", left=99), {"image": photo})
    assert has_note(outcome, "left 99 was not used")


def test_bad_input_is_refused(run_job, square):
    with pytest.raises(CanvasTooLarge, match="at most 480 pixels a side"):
        run_job(job(left=512, right=512, up=512, down=512), {"image": square})
    with pytest.raises(NothingToExtend, match="Choose another"):
        run_job(job(preset="make square"), {"image": square})
    with pytest.raises(FullyTransparent):
        run_job(job(left=64), {"image": Image.new("RGBA", (64, 64))})


def test_mk2_runs_one_pass_a_side_and_counts_them_all(run_job, square):
    progress = []
    run_job(job(left=32, right=32, steps=3), {"image": square}, progress=progress)
    assert progress[0][1] == 6
    assert progress[-1] == (6, 6)


def test_a_side_beyond_half_a_tile_takes_more_passes(run_job, square):
    progress = []
    run_job(job(left=64, steps=3), {"image": square}, progress=progress)
    assert progress[-1] == (6, 6)


def test_poor_mans_skips_tiles_inside_the_old_picture(run_job):
    """A canvas of 256 x 64 in tiles of 64: only those that touch the 64 new columns run."""
    old = Image.new("RGB", (192, 64), (200, 90, 40))
    progress = []
    settings = job(method="poor man's", right=64, steps=3, mask_blur=0)
    run_job(settings, {"image": old}, progress=progress)
    runs = progress[-1][1] // 3
    assert 1 <= runs < 5


def test_a_batch_makes_different_pictures(run_job, square):
    for method in METHODS:
        outcome = run_job(job(left=64, batch=2, method=method), {"image": square})
        first, second = outcome.images
        assert first.seed != second.seed
        assert not np.array_equal(np.asarray(first.image), np.asarray(second.image))
        again = only(run_job(job(left=64, seed=second.seed, method=method), {"image": square}))
        apart = np.abs(np.asarray(again, int) - np.asarray(second.image, int))
        assert apart.max() <= 2


def test_the_parameters_say_how_the_picture_grew(run_job, square):
    outcome = run_job(job(left=64, fall_off=0.5), {"image": square})
    values = parse_infotext(outcome.images[0].infotext).values
    expected = {
        "Outpainting": "mk2",
        "Outpainting pixels": "left 64",
        "Outpainting fall-off exponent": "0.5",
        "Denoising strength": "0.9",
    }
    assert {key: values[key] for key in expected} == expected
    assert 0 <= float(values["Seam score"]) <= 1
    poor = run_job(job(left=64, method="poor man's"), {"image": square})
    values = parse_infotext(poor.images[0].infotext).values
    assert values["Masked content"] == "fill"
    assert "Outpainting fall-off exponent" not in values
