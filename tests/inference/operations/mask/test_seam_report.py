import numpy as np
import pytest
from PIL import Image

from inference.api.notices import Notice
from inference.images.seams import SeamMeasurement
from inference.operations.mask import seam_report
from inference.operations.mask.seam_report import (
    SeamReport,
    measure_seam,
    repair_note,
    seam_mask,
    seam_note,
    seam_values,
)


def halves(size, left, right):
    image = Image.new("RGB", size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    mask = Image.new("L", size, 0)
    mask.paste(255, (size[0] // 2, 0, *size))
    return image, mask


def of(gradient, step):
    return SeamReport(Image.new("L", (8, 8)), SeamMeasurement(gradient, step))


def test_a_hard_step_shows_and_an_even_surface_does_not():
    assert measure_seam(*halves((80, 40), (200, 30, 30), (30, 30, 200))).seam.is_visible
    assert not measure_seam(*halves((80, 40), (90, 90, 90), (90, 90, 90))).seam.is_visible


def test_no_mask_has_no_seam():
    image, _ = halves((80, 40), (0, 0, 0), (255, 255, 255))
    assert measure_seam(image, Image.new("L", (80, 40))).seam.seam_score == 0


def test_the_worst_of_several_borders_counts():
    image, mask = halves((80, 40), (200, 30, 30), (30, 30, 200))
    elsewhere = halves((80, 40), 0, 0)[1].transpose(Image.Transpose.ROTATE_90).resize((80, 40))
    found = measure_seam(image, elsewhere, mask)
    assert found.mask is mask
    assert measure_seam(image, mask).seam == found.seam


def test_large_masks_are_measured_smaller(monkeypatch):
    image, mask = halves((400, 400), (200, 30, 30), (30, 30, 200))
    seen = []
    monkeypatch.setattr(seam_report, "MAX_MEASURED_PIXELS", 100 * 100)
    monkeypatch.setattr(
        seam_report.seams,
        "measure_mask_borders",
        lambda one, _: seen.append(one.size) or [SeamMeasurement(0.0, 0.0)],
    )
    measure_seam(image, mask)
    assert seen == [(134, 134)]


def test_only_a_visible_seam_is_worth_a_note():
    assert seam_note([of(0.1, 0.2)]) == ()
    (note,) = seam_note([of(0.1, 0.2), of(0.0, 20.0)])
    assert note.params == {"score": "0.94"}


def test_only_a_visible_seam_gives_its_mask():
    worst = of(0.0, 20.0)
    assert seam_mask([of(0.1, 0.2)]) == ()
    (made,) = seam_mask([of(0.1, 0.2), worst])
    assert made.image is worst.mask
    assert made.role == "mask"


def test_a_coherence_pass_says_what_it_did():
    (better,) = repair_note(of(0.0, 20.0), [of(0.0, 1.0), of(0.0, 5.0)])
    assert (better.code, better.params["before"]) == ("seam.left", "0.94")
    repaired = Notice("seam.repaired", before="0.94", after="0.13")
    assert repair_note(of(0.0, 20.0), [of(0.0, 1.0)]) == (repaired,)


def test_the_parameters_have_two_decimals():
    assert seam_values(of(0.0, 5.0)) == {"Seam score": "0.50"}


@pytest.mark.parametrize("size", [(8, 8), (64, 3)])
def test_small_pictures_are_measured_too(size):
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    assert 0 <= measure_seam(noise, halves(size, 0, 0)[1]).seam.seam_score <= 1
