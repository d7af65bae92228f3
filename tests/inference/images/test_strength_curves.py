from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.images.strength_curves import STRENGTH_CURVES, loop_strengths


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ("linear", [0.75, 0.667, 0.583, 0.5]),
        ("aggressive", [0.75, 0.625, 0.5335, 0.5]),
        ("lazy", [0.75, 0.7165, 0.625, 0.5]),
    ],
)
def test_four_loops(curve, expected):
    assert loop_strengths(0.75, 0.5, 4, curve) == pytest.approx(expected, abs=5e-4)


def test_one_loop():
    assert loop_strengths(0.3, 0.9, 1, "lazy") == [0.3]


@settings(deadline=None)
@given(
    st.floats(0, 1), st.floats(0, 1), st.integers(2, 32), st.sampled_from(sorted(STRENGTH_CURVES))
)
def test_any_curve_goes_evenly_from_first_to_last(first, last, loops, curve):
    values = loop_strengths(first, last, loops, curve)
    assert len(values) == loops
    assert (first, pytest.approx(last)) == (values[0], values[-1])
    steps = [(b - a) * (1 if last >= first else -1) for a, b in itertools.pairwise(values)]
    assert min(steps) >= -1e-12


def test_refusals():
    with pytest.raises(ValueError, match="at least 1"):
        loop_strengths(0.5, 0.5, 0)
    with pytest.raises(ValueError, match="cubic"):
        loop_strengths(0.5, 0.5, 2, "cubic")


@given(
    st.floats(0, 1), st.floats(0, 1), st.integers(1, 32), st.sampled_from(sorted(STRENGTH_CURVES))
)
def test_any_loop_has_the_strength_of_the_formula(first, last, loops, curve):
    shape = {
        "linear": lambda p: p,
        "aggressive": lambda p: math.sin(math.pi * p / 2),
        "lazy": lambda p: 1 - math.cos(math.pi * p / 2),
    }[curve]
    expected = [first]
    for index in range(1, loops):
        expected.append(first + (last - first) * shape(index / (loops - 1)))
    assert loop_strengths(first, last, loops, curve) == pytest.approx(expected)
