from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.images.colour.histogram import match_channels, match_histogram

VALUES = st.lists(st.integers(0, 255), min_size=1, max_size=60)


def test_matching_oneself_changes_nothing():
    values = np.random.default_rng(0).random((20, 30, 3))
    np.testing.assert_allclose(values, match_channels(values, values), atol=1e-12)


def test_a_monotone_change_is_undone():
    values = np.random.default_rng(0).random((64, 64))
    np.testing.assert_allclose(values, match_histogram(values**2 * 3 + 1, values), atol=1e-12)


@settings(deadline=None)
@given(VALUES, VALUES)
def test_order_is_kept_and_range_is_the_templates(values, template):
    matched = match_histogram(np.array(values), np.array(template))
    assert min(template) <= matched.min()
    assert matched.max() <= max(template)
    assert np.all(np.diff(matched[np.argsort(values, kind="stable")]) >= 0)


def test_nothing_to_match():
    assert match_histogram(np.array([1, 2]), np.array([])).tolist() == [1.0, 2.0]
    assert match_histogram(np.array([]), np.array([1])).tolist() == []
