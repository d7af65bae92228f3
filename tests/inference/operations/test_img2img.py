import pytest

from inference.errors import JobError
from inference.jobs import Img2Img


def test_it_takes_the_models_size_in_the_shape_of_the_picture(run_job, photo):
    outcome = run_job(Img2Img(steps=2, seed=1, prompt="a red apple"), {"image": photo})
    assert outcome.pictures[0].picture.size == (80, 64)


def test_a_batch_counts_seeds_up(run_job, photo):
    outcome = run_job(Img2Img(steps=2, seed=7, batch=3), {"image": photo})
    assert [made.seed for made in outcome.pictures] == [7, 8, 9]


def test_too_many_pixels_are_refused(run_job, photo):
    with pytest.raises(JobError, match="more than this server"):
        run_job(Img2Img(steps=2, seed=7, width=2048, height=2048), {"image": photo})
