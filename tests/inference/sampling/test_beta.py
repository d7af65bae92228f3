import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from inference.sampling.beta import beta_quantile

shapes = st.floats(0.3, 3)


@example(5e-324, 0.3, 1.0)
@given(st.floats(0, 1), shapes, shapes)
def test_equals_scipy(p, a, b):
    assert stats.beta.ppf(p, a, b) == pytest.approx(beta_quantile(p, a, b), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("p", "expected"), [(-1, 0), (0, 0), (0.5, 0.5), (1, 1), (2, 1)])
def test_ends_and_middle(p, expected):
    assert expected == pytest.approx(beta_quantile(p, 0.6, 0.6))
