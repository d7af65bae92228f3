import numpy as np
import pytest

from inference.api.jobs import ImagineJob


@pytest.mark.parametrize("upscaler", ["latent", "lanczos"])
def test_the_hires_fix_enlarges_and_denoises_again(run_job, upscaler):
    settings = {"seed": 3, "steps": 2, "width": 64, "height": 64, "sampler": "Euler"}
    plain = run_job(ImagineJob(**settings)).images[0]
    steps = []
    hires = {"hires_scale": 2.0, "hires_steps": 3, "hires_upscaler": upscaler}
    outcome = run_job(ImagineJob(**settings, **hires), progress=steps)
    (made,) = outcome.images
    assert made.image.size == (128, 128)
    assert "Hires upscale: 2" in made.infotext
    assert steps[-1] == (5, 5)
    enlarged = np.asarray(plain.image.resize((128, 128)), dtype=int)
    assert np.abs(enlarged - np.asarray(made.image, dtype=int)).max() > 0
