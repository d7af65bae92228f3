import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.upscaling.tiling.plan import (
    NetworkTraits,
    Resampler,
    ScaleBy,
    ScaleTo,
    UpscalePlan,
    count_tiles,
    final_size,
    largest_size,
    pass_sizes,
    scaled_size,
)

FOURFOLD = NetworkTraits("four", 4, 256, 32, False)
TWOFOLD = NetworkTraits("two", 2, 256, 18, True)
RESTORER = NetworkTraits("one", 1, 256, 32, False)

SIDES = st.integers(1, 5000)


def plan(
    aim: ScaleBy | ScaleTo, upscaler: NetworkTraits | Resampler = FOURFOLD, **rest
) -> UpscalePlan:
    return UpscalePlan(upscaler, aim, **rest)


@pytest.mark.parametrize(
    ("size", "aim", "scaled", "final"),
    [
        ((100, 60), ScaleBy(2), (200, 120), (200, 120)),
        ((100, 60), ScaleBy(1), (100, 60), (100, 60)),
        ((333, 7), ScaleBy(1.25), (416, 9), (416, 9)),
        ((1, 1), ScaleBy(8), (8, 8), (8, 8)),
        ((100, 50), ScaleTo(400, 400), (800, 400), (400, 400)),
        ((50, 100), ScaleTo(400, 400), (400, 800), (400, 400)),
        ((100, 50), ScaleTo(400, 400, crop=False), (800, 400), (800, 400)),
        ((8, 5000), ScaleTo(16, 100), (16, 10000), (16, 100)),
        ((300, 200), ScaleTo(30, 20), (30, 20), (30, 20)),
    ],
)
def test_sizes(
    size: tuple[int, int], aim: ScaleBy | ScaleTo, scaled: tuple[int, int], final: tuple[int, int]
) -> None:
    assert scaled_size(size, plan(aim)) == scaled
    assert final_size(size, plan(aim)) == final


@settings(deadline=None)
@given(width=SIDES, height=SIDES, hundredths=st.integers(100, 800))
def test_a_factor_is_exact_to_half_a_pixel(width: int, height: int, hundredths: int) -> None:
    scaled = scaled_size((width, height), plan(ScaleBy(hundredths / 100)))

    assert abs(scaled[0] * 100 - width * hundredths) <= 50
    assert abs(scaled[1] * 100 - height * hundredths) <= 50


@settings(deadline=None)
@given(width=SIDES, height=SIDES, target=st.tuples(SIDES, SIDES))
def test_a_cropped_size_is_met_exactly(width: int, height: int, target: tuple[int, int]) -> None:
    scaled = scaled_size((width, height), plan(ScaleTo(*target)))

    assert scaled[0] >= target[0]
    assert scaled[1] >= target[1]
    assert final_size((width, height), plan(ScaleTo(*target))) == target


@settings(deadline=None)
@given(width=SIDES, height=SIDES, longest=st.integers(1, 9000))
def test_the_longest_side_is_kept(width: int, height: int, longest: int) -> None:
    final = final_size((width, height), plan(ScaleBy(8), longest_side=longest))

    assert max(final) <= longest
    assert min(final) >= 1


@pytest.mark.parametrize(
    ("aim", "network", "passes"),
    [
        (ScaleBy(4), FOURFOLD, 1),
        (ScaleBy(4.01), FOURFOLD, 2),
        (ScaleBy(8), FOURFOLD, 2),
        (ScaleBy(8), TWOFOLD, 3),
        (ScaleBy(2), TWOFOLD, 1),
        (ScaleBy(1), FOURFOLD, 1),
        (ScaleBy(1), RESTORER, 1),
        (ScaleBy(3), RESTORER, 1),
        (ScaleTo(50, 50), FOURFOLD, 0),
        (ScaleTo(5000, 5000), TWOFOLD, 3),
    ],
)
def test_passes(aim: ScaleBy | ScaleTo, network: NetworkTraits, passes: int) -> None:
    assert len(pass_sizes((100, 100), plan(aim, network), network)) == passes


def test_names_the_largest_picture_on_the_way() -> None:
    assert largest_size((100, 50), plan(ScaleBy(5))) == (1600, 800)
    assert largest_size((100, 50), plan(ScaleBy(2))) == (400, 200)
    assert largest_size((100, 50), plan(ScaleBy(5), Resampler.LANCZOS)) == (500, 250)


def test_counts_tiles_of_every_pass_and_layer() -> None:
    assert count_tiles((100, 100), plan(ScaleBy(4))) == 1
    assert count_tiles((512, 512), plan(ScaleBy(2))) == 4
    assert count_tiles((100, 100), plan(ScaleBy(8))) == 1 + 4
    assert count_tiles((100, 100), plan(ScaleBy(4)), transparent=True) == 2
    assert count_tiles((100, 100), plan(ScaleBy(4), second=TWOFOLD, visibility=0.5)) == 1 + 2
    assert count_tiles((100, 100), plan(ScaleBy(4), Resampler.NEAREST)) == 0


def test_layers_that_do_not_show_are_left_out() -> None:
    both = plan(ScaleBy(2), second=TWOFOLD, visibility=0.25)

    assert both.weighted_methods() == ((FOURFOLD, 0.75), (TWOFOLD, 0.25))
    assert plan(ScaleBy(2), second=TWOFOLD).weighted_methods() == ((FOURFOLD, 1.0),)
    assert plan(ScaleBy(2), second=TWOFOLD, visibility=1).weighted_methods() == ((TWOFOLD, 1.0),)


@pytest.mark.parametrize("factor", [0, 0.99, 8.01, 9, -1, float("nan")])
def test_refuses_a_factor_out_of_range(factor: float) -> None:
    with pytest.raises(ValueError, match="from 1 to 8"):
        ScaleBy(factor)


def test_refuses_what_is_no_size_or_share() -> None:
    with pytest.raises(ValueError, match="positive"):
        ScaleTo(0, 5)
    with pytest.raises(ValueError, match="visibility"):
        plan(ScaleBy(2), visibility=1.5)
    with pytest.raises(ValueError, match="longest side"):
        plan(ScaleBy(2), longest_side=0)
