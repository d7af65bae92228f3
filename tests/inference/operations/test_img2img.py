import numpy as np
import pytest
import torch
from PIL import Image

from inference.api.errors import JobError
from inference.api.infotext.text import parse_infotext
from inference.api.jobs import Img2ImgJob
from inference.images.errors import FullyTransparent, ImageTooSmall
from inference.operations.shared.latents import upscale_latent


def test_it_takes_the_models_size_in_the_shape_of_the_picture(run_job, photo):
    outcome = run_job(Img2ImgJob(steps=2, seed=1, prompt="a red apple"), {"image": photo})
    assert outcome.images[0].image.size == (80, 64)


def test_a_batch_counts_seeds_up(run_job, photo):
    outcome = run_job(Img2ImgJob(steps=2, seed=7, batch=3), {"image": photo})
    assert [made.seed for made in outcome.images] == [7, 8, 9]


def test_too_many_pixels_are_refused(run_job, photo):
    with pytest.raises(JobError, match="more than this server"):
        run_job(Img2ImgJob(steps=2, seed=7, width=2048, height=2048), {"image": photo})


def test_bad_sources_are_refused(run_job):
    with pytest.raises(FullyTransparent):
        run_job(Img2ImgJob(seed=1), {"image": Image.new("RGBA", (64, 64))})
    with pytest.raises(ImageTooSmall):
        run_job(Img2ImgJob(seed=1), {"image": Image.new("RGB", (7, 64))})


def test_colour_correction_takes_the_fitted_sources_colours(run_job, photo):
    def distance(image):
        means = np.asarray(image, float).mean(axis=(0, 1))
        return np.abs(means - np.asarray(photo, float).mean(axis=(0, 1))).max()

    plain, corrected = (
        run_job(Img2ImgJob(steps=2, seed=1, colour_correction=on), {"image": photo}).images[0]
        for on in (False, True)
    )
    assert distance(corrected.image) < distance(plain.image)
    assert "Color correction" not in parse_infotext(plain.infotext).values
    assert parse_infotext(corrected.infotext).values["Color correction"] == "True"


def test_a_latent_upscale_enlarges_the_latent_and_not_the_picture(run_job, square):
    settings = {"steps": 2, "seed": 1, "width": 128, "height": 64, "strength": 0.3}
    progress = []
    latent, pixels = (
        run_job(Img2ImgJob(resize_mode=mode, **settings), {"image": square}, progress=progress)
        for mode in ("latent upscale", "just resize")
    )
    assert latent.images[0].image.size == (128, 64)
    assert not np.array_equal(*(np.asarray(one.images[0].image) for one in (latent, pixels)))
    assert progress[0][1] == 3


def test_latents_are_interpolated_bilinearly():
    latent = torch.arange(4.0).reshape(1, 2, 2)
    larger = upscale_latent(latent, (32, 16))
    assert larger.shape == (1, 2, 4)
    assert torch.allclose(larger[0, 0], torch.tensor([0.0, 0.25, 0.75, 1.0]))
