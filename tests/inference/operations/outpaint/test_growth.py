import pytest

from inference.api.jobs import OutpaintJob
from inference.operations.outpaint.growth import growth_notes, plan_outpaint


@pytest.fixture
def plan(studio, square):
    def make(**fields):
        planning = plan_outpaint(OutpaintJob(**fields), {"image": square}, studio, "tiny")
        with pytest.raises(StopIteration) as finished:
            next(planning)
        return finished.value.value

    return make


def test_borders_lie_at_the_sources_edge_and_around_the_latent_masks(plan):
    borders = plan(left=64).seam_masks(16)
    edges = [128 - border.point(lambda grey: 255 - grey).getbbox()[0] for border in borders]
    assert edges == [64, 52, 48, 44]


def test_a_source_smaller_than_the_inset_has_a_full_mask(plan):
    *_, last = plan(left=64, right=64).seam_masks(60)
    assert last.getextrema() == (255, 255)


def test_tiles_have_the_jobs_size_or_the_models(plan):
    assert plan(left=64).tile == (64, 64)
    assert plan(left=64, width=130, height=96).tile == (128, 96)


def test_growth_is_described_side_by_side(plan):
    growth = plan(left=10, right=10, down=64)
    assert growth.describe_growth() == "left 32, right 32, down 64"
    (note,) = growth_notes(OutpaintJob(left=10, right=10, down=64), growth)
    assert "instead of left 10, right 10, down 64" in str(note)


def test_nothing_is_said_where_everything_went_as_asked(plan):
    assert growth_notes(OutpaintJob(left=64), plan(left=64)) == ()
