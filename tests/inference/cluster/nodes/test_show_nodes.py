from __future__ import annotations

import pytest

from inference.cluster.show_nodes import CLOCK_SECONDS, find_clock_offset


@pytest.mark.parametrize(
    ("node_time", "offset"),
    [
        (1000.5, 0.0),
        (1000.0 - CLOCK_SECONDS, 0.0),
        (1001.0 + CLOCK_SECONDS, 0.0),
        (1100.5, 100.0),
        (900.5, -100.0),
    ],
)
def test_a_clock_is_off_only_where_the_time_of_the_answer_cannot_explain_it(node_time, offset):
    assert find_clock_offset(node_time, 1000.0, 1001.0) == offset
