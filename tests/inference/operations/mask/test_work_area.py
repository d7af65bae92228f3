import pytest
from PIL import Image

from inference.api.errors import JobError
from inference.api.jobs import InpaintJob
from inference.images.mask.masks import threshold_mask
from inference.images.regions import expand_to_ratio
from inference.operations.mask.masked_job import make_masked_job
from inference.operations.mask.work_area import choose_work_area


def area_of(job, size, box, natural, **limits):
    """What a job works on whose mask is a box."""
    mask = Image.new("L", size, 0)
    mask.paste(255, box)
    masked_job = make_masked_job(job, Image.new("RGB", size, (90, 80, 70)), mask)
    return choose_work_area(masked_job, natural, **limits).area


def test_only_masked_cuts_out_the_padded_box_in_the_jobs_ratio():
    """The worked number: 128 x 32 at (100, 100) for a square job."""
    job = InpaintJob(area="only masked", padding=0, mask_blur=0, width=512, height=512)
    view = area_of(job, (1000, 800), (100, 100, 228, 132), 512)
    assert view.box == (100, 52, 228, 180)
    assert view.size == (512, 512)
    assert view.mask.size == view.image.size
    assert view.resolution_gain.scale_factor == 4


def test_padding_and_blur_widen_the_box():
    job = InpaintJob(area="only masked", padding=32, mask_blur=4, width=512, height=512)
    view = area_of(job, (1000, 800), (400, 400, 500, 500), 512)
    reach = view.box[0], view.box[2]
    assert reach[0] < 400 - 32
    assert reach[1] > 500 + 32
    assert expand_to_ratio(view.box, (512, 512), (1000, 800)) == view.box


def test_a_whole_picture_without_a_size_works_at_the_models_own():
    view = area_of(InpaintJob(mask_blur=0), (1000, 500), (0, 0, 10, 10), 512)
    assert view.box == (0, 0, 1000, 500)
    assert view.size == (728, 360)
    assert view.original.size == view.overlay_mask.size == (1000, 500)


@pytest.mark.parametrize("mode", ["just resize", "latent upscale"])
def test_a_whole_picture_with_a_size_is_laid_into_the_fitted_source(mode):
    job = InpaintJob(mask_blur=0, width=256, height=256, resize_mode=mode)
    view = area_of(job, (1000, 500), (500, 0, 1000, 500), 512)
    assert view.original is view.image
    assert view.size == view.original.size == (256, 256)
    assert threshold_mask(view.mask).getbbox() == (128, 0, 256, 256)


def test_a_mask_of_the_size_worked_on_goes_back_to_its_place():
    job = InpaintJob(area="only masked", padding=0, mask_blur=0, width=64, height=64)
    view = area_of(job, (100, 80), (20, 30, 52, 62), 64)
    assert view.place_mask(Image.new("L", (64, 64), 255)).getbbox() == (20, 30, 52, 62)


def edge(**fields):
    return InpaintJob(**{"area": "mask edge", "padding": 8, "mask_blur": 0} | fields)


def test_a_masks_edge_is_worked_on_at_its_own_size():
    view = area_of(edge(), (1000, 800), (200, 200, 600, 500), 64)
    assert view.box == (176, 176, 624, 524)
    assert view.size == (448, 344)
    inside = view.mask.crop((64, 64, 300, 200))
    assert inside.getextrema() == (0, 0)
    assert view.mask.getpixel((24, 100)) == 255
    assert view.hard_mask.getbbox() == (200, 200, 600, 500)


def test_a_small_edge_is_worked_on_at_the_models_size():
    view = area_of(edge(), (1000, 800), (200, 200, 232, 232), 512)
    assert view.box == (176, 176, 256, 256)
    assert view.size == (512, 512)


def test_a_large_edge_is_worked_on_within_the_limit():
    view = area_of(edge(), (4000, 2000), (0, 0, 2000, 2000), 512, max_pixels=1000 * 1000)
    assert view.size[0] * view.size[1] <= 1000 * 1000
    assert all(side % 8 == 0 for side in view.size)


def test_an_edge_at_a_size_asked_for_has_its_ratio():
    view = area_of(edge(width=512, height=512), (1000, 800), (300, 300, 500, 400), 512)
    assert view.size == (512, 512)
    left, upper, right, lower = view.box
    assert right - left == lower - upper


def test_a_mask_of_everything_has_no_edge():
    with pytest.raises(JobError, match="no edge"):
        area_of(edge(), (100, 80), (0, 0, 100, 80), 64)
