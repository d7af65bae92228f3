import os

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from inference.api.errors import JobError, UnreadableMask
from inference.api.infotext.text import parse_infotext
from inference.api.jobs import InpaintJob
from inference.engine.work import DenoiseResult
from inference.images.errors import FullyTransparent, ImageTooSmall
from inference.images.resize import ResizeMode, fit_image
from inference.operations.inpaint import run_inpaint


def job(**fields):
    return InpaintJob(**{"steps": 2, "seed": 1, "prompt": "a red apple"} | fields)


def changed(before, after):
    """Where two pictures differ, height × width."""
    return (np.asarray(before) != np.asarray(after)).any(axis=-1)


def only(outcome):
    (made,) = outcome.images
    return made.image


def has_note(outcome, words):
    return any(words in str(note) for note in outcome.notes)


def random_case(rng, area):
    """A job, a noise picture and a mask of a few blots, black, grey and white; blur 0."""
    width, height = (int(side) for side in rng.integers(8, 130, 2))
    source = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
    mask = np.zeros((height, width), np.uint8)
    blots = [*rng.choice([40, 128, 255], int(rng.integers(0, 3))), 255]
    for level in blots:
        x, y = int(rng.integers(0, width - 3)), int(rng.integers(0, height))
        w, h = int(rng.integers(4, 60)), int(rng.integers(1, 60))
        mask[y : y + h, x : x + w] = level
    content = str(rng.choice(["fill", "original", "latent noise"]))
    padding = int(rng.integers(0, 40))
    settings = job(area=area, mask_blur=0, padding=padding, masked_content=content, steps=1)
    return settings, source, mask


@pytest.mark.parametrize("area", ["whole picture", "only masked"])
def test_what_lies_outside_200_random_masks_stays_bit_for_bit(studio, area):
    """A hundred sizes and masks for each area, whatever the network makes of them."""
    rng = np.random.default_rng(5)
    for _ in range(100):
        settings, source, mask = random_case(rng, area)
        operation = run_inpaint(settings, {"image": source, "mask": Image.fromarray(mask)}, studio)
        (work,) = next(operation).works
        noise = rng.integers(0, 256, (work.height, work.width, 3), dtype=np.uint8)
        painted = DenoiseResult(image=Image.fromarray(noise), latent=torch.zeros(4, 8, 8))
        with pytest.raises(StopIteration) as stop:
            operation.send([painted])
        moved = changed(source, only(stop.value.value))
        assert not moved[mask <= 128].any()
        assert moved[mask == 255].all()


@pytest.mark.parametrize("area", ["whole picture", "only masked"])
def test_what_lies_outside_stays_through_the_whole_engine(run_job, area):
    rng = np.random.default_rng(6)
    for _ in range(5):
        settings, source, mask = random_case(rng, area)
        result = only(run_job(settings, {"image": source, "mask": Image.fromarray(mask)}))
        assert source.size == result.size
        assert not changed(source, result)[mask <= 128].any()


@pytest.mark.parametrize("area", ["whole picture", "only masked"])
def test_the_masked_part_changes(run_job, photo, box_mask, area):
    mask = box_mask(photo.size, (20, 10, 60, 50))
    result = only(run_job(job(area=area), {"image": photo, "mask": mask}))
    assert changed(photo, result)[12:48, 22:58].mean() > 0.9


def test_only_masked_touches_nothing_outside_its_box_even_with_blur(run_job, photo, box_mask):
    mask = box_mask(photo.size, (40, 30, 50, 40))
    settings = job(area="only masked", mask_blur=2, padding=8)
    moved = changed(photo, only(run_job(settings, {"image": photo, "mask": mask})))
    assert not moved[:20].any()
    assert not moved[50:].any()
    assert not moved[:, :30].any()
    assert not moved[:, 60:].any()


def test_a_whole_picture_with_a_size_has_that_size(run_job, photo, box_mask):
    mask = box_mask(photo.size, (20, 10, 60, 50))
    for mode in ("just resize", "crop and resize", "resize and fill", "latent upscale"):
        settings = job(width=96, height=64, mask_blur=0, resize_mode=mode)
        result = only(run_job(settings, {"image": photo, "mask": mask}))
        assert result.size == (96, 64)
        geometry = ResizeMode("just resize" if mode == "latent upscale" else mode)
        fitted, fitted_mask = fit_image(photo, 96, 64, geometry), fit_image(mask, 96, 64, geometry)
        moved = changed(fitted, result)
        assert not moved[np.asarray(fitted_mask) == 0].any()
        assert moved[np.asarray(fitted_mask) == 255].mean() > 0.9


def test_not_masked_turns_the_mask_round(run_job, square, box_mask):
    mask = box_mask(square.size, (16, 16, 48, 48))
    settings = job(mask_mode="not masked", mask_blur=0)
    moved = changed(square, only(run_job(settings, {"image": square, "mask": mask})))
    assert not moved[16:48, 16:48].any()
    assert moved[:16].mean() > 0.9


def test_transparency_is_a_mask_and_unites_with_an_uploaded_one(run_job, square, box_mask):
    image = square.convert("RGBA")
    image.paste((0, 0, 0, 200), (0, 0, 16, 64))
    alone = only(run_job(job(mask_blur=0), {"image": image}))
    assert alone.mode == "RGB"
    moved = changed(square, alone)
    assert moved[:, :16].mean() > 0.9
    assert not moved[:, 16:].any()
    images = {"image": image, "mask": box_mask(square.size, (48, 0, 64, 64))}
    moved = changed(square, only(run_job(job(mask_blur=0), images)))
    assert moved[:, :16].mean() > 0.9
    assert moved[:, 48:].mean() > 0.9
    assert not moved[:, 16:48].any()


def test_an_uploaded_mask_may_be_painted_into_its_alpha(run_job, square):
    mask = Image.new("RGBA", square.size, (0, 0, 0, 0))
    mask.paste((9, 9, 9, 255), (0, 0, 32, 64))
    moved = changed(square, only(run_job(job(mask_blur=0), {"image": square, "mask": mask})))
    assert moved[:, :32].mean() > 0.9
    assert not moved[:, 32:].any()


def test_a_mask_in_words(run_job, square):
    settings = job(mask_blur=0, mask_shape="left 50% - A1-A5")
    moved = changed(square, only(run_job(settings, {"image": square})))
    assert not moved[:, :13].any()
    assert moved[:, 13:32].mean() > 0.9
    assert not moved[:, 32:].any()


def test_a_mask_of_another_size_is_laid_over_and_said(run_job, square, box_mask):
    for size, words in (((32, 32), "scaled from 32 x 32"), ((32, 64), "stretched")):
        mask = box_mask(size, (0, 0, size[0] // 2, size[1]))
        outcome = run_job(job(mask_blur=0), {"image": square, "mask": mask})
        moved = changed(square, only(outcome))
        assert moved[:, :32].mean() > 0.9
        assert not moved[:, 32:].any()
        assert has_note(outcome, words)


@pytest.mark.parametrize(
    ("settings", "grey", "words"),
    [
        ({}, 0, "no white pixel"),
        ({"mask_mode": "not masked"}, 255, "all white"),
    ],
)
def test_a_blank_mask_is_refused(run_job, square, settings, grey, words):
    mask = Image.new("L", square.size, grey)
    with pytest.raises(JobError, match=words):
        run_job(job(**settings), {"image": square, "mask": mask})


@pytest.mark.parametrize("mask_mode", ["masked", "not masked"])
def test_a_speck_is_refused_and_a_thin_line_is_not(run_job, square, box_mask, mask_mode):
    def mask(box):
        drawn = box_mask(square.size, box)
        return drawn if mask_mode == "masked" else ImageOps.invert(drawn)

    settings = job(mask_mode=mask_mode, mask_blur=0)
    with pytest.raises(JobError, match="marks only 3 × 2 pixels"):
        run_job(settings, {"image": square, "mask": mask((20, 20, 23, 22))})
    run_job(settings, {"image": square, "mask": mask((20, 20, 21, 24))})


def test_no_mask_at_all_is_refused(run_job, square):
    with pytest.raises(JobError, match="must know where"):
        run_job(job(), {"image": square})


def test_other_bad_input_is_refused(run_job, square):
    with pytest.raises(FullyTransparent):
        run_job(job(), {"image": Image.new("RGBA", (64, 64))})
    with pytest.raises(ImageTooSmall):
        run_job(job(mask_shape="all"), {"image": Image.new("RGB", (64, 7))})
    with pytest.raises(UnreadableMask, match="left 30%"):
        run_job(job(mask_shape="the cat"), {"image": square})


def test_an_all_white_mask_runs_and_is_said(run_job, square):
    outcome = run_job(job(), {"image": square, "mask": Image.new("L", square.size, 255)})
    assert changed(square, only(outcome)).mean() > 0.9
    assert has_note(outcome, "covers 100%")


def test_only_masked_says_how_much_larger_it_works(run_job, photo, box_mask):
    images = {"image": photo, "mask": box_mask(photo.size, (20, 20, 36, 36))}
    settings = job(area="only masked", padding=0, mask_blur=0, width=64, height=64)
    assert has_note(run_job(settings, images), "renders at 4.0x")


def test_a_job_lists_the_models_folder_once(run_job, tiny_library, square, box_mask, monkeypatch):
    tiny_library.get_checkpoint("")  # loading one looks at its parts
    listed_folders = []

    def count_calls(scan):
        def scan_counted(folder="."):
            listed_folders.append(str(folder))
            return scan(folder)

        return scan_counted

    for name in ("listdir", "scandir"):
        monkeypatch.setattr(os, name, count_calls(getattr(os, name)))
    run_job(job(batch=2), {"image": square, "mask": box_mask(square.size, (0, 0, 32, 64))})

    assert listed_folders.count(str(tiny_library.folder.path)) == 1
    assert len(set(listed_folders)) == len(listed_folders)


def test_masked_contents_differ(run_job, photo, box_mask):
    images = {"image": photo, "mask": box_mask(photo.size, (20, 10, 80, 60))}
    results = [
        np.asarray(only(run_job(job(masked_content=content, steps=4), images)))
        for content in ("original", "fill", "latent noise", "latent nothing")
    ]
    for index, one in enumerate(results):
        for other in results[index + 1 :]:
            assert not np.array_equal(one, other)


def test_strength_0_keeps_the_picture(run_job, square, box_mask):
    images = {"image": square, "mask": box_mask(square.size, (0, 0, 32, 64))}
    assert not changed(square, only(run_job(job(strength=0.0), images))).any()


def test_a_batch_counts_seeds_up(run_job, square):
    outcome = run_job(job(batch=2, seed=5, mask_shape="left 50%"), {"image": square})
    assert [made.seed for made in outcome.images] == [5, 6]
    first, second = (made.image for made in outcome.images)
    assert changed(first, second).any()
    alone = only(run_job(job(seed=6, mask_shape="left 50%"), {"image": square}))
    assert np.abs(np.asarray(second, int) - np.asarray(alone, int)).max() <= 1


def test_colour_correction_brings_the_sources_colours_back(run_job, square):
    def distance(settings):
        result = np.asarray(only(run_job(settings, {"image": square})), float)
        return np.abs(result.mean(axis=(0, 1)) - np.asarray(square, float).mean(axis=(0, 1))).max()

    plain, corrected = job(mask_shape="all"), job(mask_shape="all", colour_correction=True)
    assert distance(corrected) < distance(plain)


def test_soft_inpainting_blends_by_the_masks_grey(run_job, square, box_mask):
    images = {"image": square, "mask": box_mask(square.size, (16, 16, 48, 48), grey=180)}
    hard = run_job(job(steps=4), images)
    blended = run_job(job(steps=4, soft=True), images)
    assert changed(only(hard), only(blended)).any()
    values = parse_infotext(blended.images[0].infotext).values
    assert values["Soft inpainting enabled"] == "True"


def test_soft_inpainting_leaves_what_lies_far_from_the_mask(run_job, box_mask):
    rng = np.random.default_rng(3)
    source = Image.fromarray(rng.integers(0, 256, (64, 192, 3), dtype=np.uint8))
    mask = box_mask(source.size, (0, 0, 40, 64))
    settings = job(soft=True, width=192, height=64)
    moved = changed(source, only(run_job(settings, {"image": source, "mask": mask})))
    assert moved[:, :24].mean() > 0.5
    assert not moved[:, 120:].any()


def test_the_parameters_say_what_was_done_to_the_mask(run_job, square):
    settings = job(
        mask_shape="left 50%",
        area="only masked",
        padding=8,
        mask_blur=6,
        masked_content="latent noise",
        mask_mode="not masked",
        strength=0.5,
    )
    values = parse_infotext(run_job(settings, {"image": square}).images[0].infotext).values
    expected = {
        "Mask blur": "6",
        "Inpaint area": "Only masked",
        "Masked area padding": "8",
        "Masked content": "latent noise",
        "Mask mode": "Inpaint not masked",
        "Denoising strength": "0.5",
    }
    assert {key: values[key] for key in expected} == expected
    assert 0 <= float(values["Seam score"]) <= 1
    assert "Conditional mask weight" not in values


def test_a_nine_channel_checkpoint_sees_mask_and_weight(run_job, square):
    def result(weight):
        settings = job(model="tiny-inpaint", mask_shape="left 50%", mask_weight=weight)
        return run_job(settings, {"image": square})

    full, none = result(1.0), result(0.0)
    assert parse_infotext(full.images[0].infotext).values["Conditional mask weight"] == "1"
    assert changed(only(full), only(none)).any()
    assert not changed(square, only(full))[:, 52:].any()


def test_a_coherence_pass_repaints_a_band_and_says_what_it_did(run_job, square, box_mask):
    """A patch with a hard edge, mended; what is far from its edge stays bit for bit."""
    patched = square.copy()
    patched.paste((250, 250, 250), (20, 0, 64, 64))
    mask = box_mask(square.size, (20, 0, 64, 64))
    settings = job(area="mask edge", strength=0.3, mask_blur=0, padding=4)
    outcome = run_job(settings, {"image": patched, "mask": mask})
    moved = changed(patched, only(outcome))
    assert moved[:, 4:36].any()
    assert not moved[:, :4].any()
    assert not moved[:, 36:].any()
    assert has_note(outcome, "Seam score 1.00 before, ")
    assert outcome.seams == ()
    assert parse_infotext(outcome.images[0].infotext).values["Inpaint area"] == "Mask edge"


def test_a_visible_seam_gives_the_mask_to_mend_it_with(run_job, square, box_mask):
    mask = box_mask(square.size, (20, 0, 64, 64))
    settings = job(mask_blur=0, strength=1.0)
    outcome = run_job(settings, {"image": square, "mask": mask})
    assert has_note(outcome, "The border of the repaint shows")
    (seam,) = outcome.seams
    assert np.array_equal(np.asarray(seam.image), np.asarray(mask))
