import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from inference.sampling.beta import beta_quantile

shapes = st.floats(0.3, 3)


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-12, 1), shapes, shapes)  # scipy gives up on the smallest numbers
def test_equals_scipy(p, a, b):
    assert stats.beta.ppf(p, a, b) == pytest.approx(beta_quantile(p, a, b), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("p", "expected"), [(-1, 0), (0, 0), (0.5, 0.5), (1, 1), (2, 1)])
def test_ends_and_middle(p, expected):
    assert pytest.approx(beta_quantile(p, 0.6, 0.6)) == expected


@pytest.mark.parametrize("p", [5e-324, 1e-300, 1e-40])
@pytest.mark.parametrize("a", [0.3, 0.6, 3.0])
def test_the_smallest_probabilities_stay_inside(p, a):
    assert 0 <= beta_quantile(p, a, 3.0) < 1e-12
