import pytest
from PIL import Image

from inference.errors import JobError
from inference.jobs import Inpaint
from inference.operations.masking import Marked
from inference.operations.view import look
from inference.pictures.masks import threshold
from inference.pictures.regions import expand_to_ratio


def marked(size, box):
    mask = Image.new("L", size, 0)
    mask.paste(255, box)
    return Marked(Image.new("RGB", size, (90, 80, 70)), mask, ())


def test_only_masked_cuts_out_the_padded_box_in_the_jobs_ratio():
    """The worked number: 128 x 32 at (100, 100) for a square job."""
    job = Inpaint(area="only masked", padding=0, mask_blur=0, width=512, height=512)
    view = look(job, marked((1000, 800), (100, 100, 228, 132)), 512)
    assert view.box == (100, 52, 228, 180)
    assert view.size == (512, 512)
    assert view.mask.size == view.picture.size
    assert view.gain.factor == 4


def test_padding_and_blur_widen_the_box():
    job = Inpaint(area="only masked", padding=32, mask_blur=4, width=512, height=512)
    view = look(job, marked((1000, 800), (400, 400, 500, 500)), 512)
    reach = view.box[0], view.box[2]
    assert reach[0] < 400 - 32
    assert reach[1] > 500 + 32
    assert view.box == expand_to_ratio(view.box, (512, 512), (1000, 800))


def test_a_whole_picture_without_a_size_works_at_the_models_own():
    view = look(Inpaint(mask_blur=0), marked((1000, 500), (0, 0, 10, 10)), 512)
    assert view.box == (0, 0, 1000, 500)
    assert view.size == (728, 360)
    assert view.original.size == view.overlay.size == (1000, 500)


@pytest.mark.parametrize("mode", ["just resize", "latent upscale"])
def test_a_whole_picture_with_a_size_is_laid_into_the_fitted_source(mode):
    job = Inpaint(mask_blur=0, width=256, height=256, resize_mode=mode)
    view = look(job, marked((1000, 500), (500, 0, 1000, 500)), 512)
    assert view.original is view.picture
    assert view.size == view.original.size == (256, 256)
    assert threshold(view.mask).getbbox() == (128, 0, 256, 256)


def test_a_mask_of_the_size_worked_on_goes_back_to_its_place():
    job = Inpaint(area="only masked", padding=0, mask_blur=0, width=64, height=64)
    view = look(job, marked((100, 80), (20, 30, 52, 62)), 64)
    assert view.placed(Image.new("L", (64, 64), 255)).getbbox() == (20, 30, 52, 62)


def edge(**fields):
    return Inpaint(**{"area": "mask edge", "padding": 8, "mask_blur": 0} | fields)


def test_a_masks_edge_is_worked_on_at_its_own_size():
    view = look(edge(), marked((1000, 800), (200, 200, 600, 500)), 64)
    assert view.box == (176, 176, 624, 524)
    assert view.size == (448, 344)
    inside = view.mask.crop((64, 64, 300, 200))
    assert inside.getextrema() == (0, 0)
    assert view.mask.getpixel((24, 100)) == 255
    assert view.border.getbbox() == (200, 200, 600, 500)


def test_a_small_edge_is_worked_on_at_the_models_size():
    view = look(edge(), marked((1000, 800), (200, 200, 232, 232)), 512)
    assert view.box == (176, 176, 256, 256)
    assert view.size == (512, 512)


def test_a_large_edge_is_worked_on_within_the_limit():
    view = look(edge(), marked((4000, 2000), (0, 0, 2000, 2000)), 512, limit=1000 * 1000)
    assert view.size[0] * view.size[1] <= 1000 * 1000
    assert all(side % 8 == 0 for side in view.size)


def test_an_edge_at_a_size_asked_for_has_its_ratio():
    view = look(edge(width=512, height=512), marked((1000, 800), (300, 300, 500, 400)), 512)
    assert view.size == (512, 512)
    left, upper, right, lower = view.box
    assert right - left == lower - upper


def test_a_mask_of_everything_has_no_edge():
    with pytest.raises(JobError, match="no edge"):
        look(edge(), marked((100, 80), (0, 0, 100, 80)), 64)
