from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from inference.api.errors import JobError, UnreadableMask
from inference.api.jobs import PreviewJob
from inference.api.notices import Notice
from inference.images.errors import NoStrokes
from inference.operations.preview import run_preview


class Shelf:
    """What an operation asks of a library here: a size, no weights."""

    def resolve_name(self, name):
        return name or "tiny"

    def size_multiple(self, name):
        return 8

    def natural_size(self, name):
        return 64


class Room:
    library = Shelf()


def outcome(job, **images):
    operation, results = run_preview(job, images, Room()), None
    while True:
        try:
            request = operation.send(results)
        except StopIteration as stopped:
            return stopped.value
        results = [work.call() for work in request.works]


def test_a_mask_is_striped_over_its_side_alone(photo):
    done = outcome(PreviewJob(mask_shape="left 50%"), image=photo)

    (made,) = done.images
    changed = np.abs(np.asarray(made.image, int) - np.asarray(photo, int)).sum(axis=-1) > 0
    assert changed[:, :45].mean() > 0.9
    # Nothing there but the dashes of the box that “only masked” would work on.
    assert changed[:, 55:].mean() < 0.25
    assert made.role == "preview"
    assert str(done.notes[0]) == "50% of the picture would be repainted."


def test_an_uploaded_mask_is_shown_too(photo, box_mask):
    done = outcome(
        PreviewJob(), image=photo, mask=box_mask(photo.size, (0, 0, 100, 35)).convert("RGB")
    )

    assert str(done.notes[0]) == "50% of the picture would be repainted."


def test_not_masked_shows_the_rest(photo):
    done = outcome(PreviewJob(mask_shape="left 20%", mask_mode="not masked"), image=photo)

    assert str(done.notes[0]).startswith("80%")


def test_the_grid_needs_no_mask(photo):
    done = outcome(PreviewJob(show="grid"), image=photo)

    (made,) = done.images
    assert photo.size != made.image.size
    assert made.role == "preview"


def test_transparency_is_drawn_on(photo):
    clear = photo.convert("RGBA")
    clear.putalpha(128)

    assert outcome(PreviewJob(show="grid"), image=clear).images[0].image.mode == "RGB"


@pytest.mark.parametrize(
    ("job", "error"),
    [(PreviewJob(), JobError), (PreviewJob(mask_shape="the hat"), UnreadableMask)],
)
def test_what_marks_nothing_is_refused_with_words(photo, job, error):
    with pytest.raises(error):
        outcome(job, image=photo)


def test_a_mask_that_looks_wrong_is_said(photo):
    done = outcome(PreviewJob(mask_shape="all"), image=photo)

    assert any("img2img repaints all of it" in str(note) for note in done.notes)
    assert isinstance(done.images[0].image, Image.Image)


def test_a_scribbled_copy_is_a_mask(photo):
    copy = photo.copy()
    copy.paste((255, 0, 255), (20, 10, 60, 30))
    done = outcome(PreviewJob(), image=photo, mask=copy)

    marked = (40 * 20) / (photo.width * photo.height)
    assert str(done.notes[0]) == f"{marked:.0%} of the picture would be repainted."
    assert Notice("mask.drawn") in done.notes


def test_a_copy_without_strokes_is_said(photo):
    with pytest.raises(NoStrokes, match="nothing drawn on it"):
        outcome(PreviewJob(), image=photo, mask=photo.copy())


def test_the_box_that_only_masked_works_on_is_dashed_and_its_gain_said():
    white = Image.new("RGB", (400, 300), "white")
    done = outcome(PreviewJob(mask_shape="circle 50% 50% r10%"), image=white)

    changed = np.asarray(done.images[0].image).min(axis=-1) < 255
    rows, columns = (np.flatnonzero(changed.any(axis)) for axis in (1, 0))
    box = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    # A radius of 30, a blur that reaches 10 further, a padding of 32, and a ratio of 72 : 64.
    assert box == pytest.approx((119, 78, 281, 222), abs=4)
    width = box[2] - box[0]
    assert str(done.notes[1]).startswith(
        "With “only masked”, the dashed box is worked on and renders at"
    )
    assert float(str(done.notes[1]).split()[-1].rstrip("x.")) == pytest.approx(72 / width, abs=0.06)


def test_a_mask_of_nearly_everything_has_no_box(photo):
    done = outcome(PreviewJob(mask_shape="all"), image=photo)
    assert not any("dashed" in str(note) for note in done.notes)
