from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from storage.records import ID_LENGTH, next_id

moments = st.integers(0, 30_000_000_000).map(lambda seconds: seconds * 10**6)


@given(st.lists(moments, min_size=2, max_size=20))
def test_ids_rise_whatever_the_clock_does(times):
    ids = []
    for moment in times:
        ids.append(next_id(moment, ids[-1] if ids else None))

    assert sorted(ids) == ids
    assert len(ids) == len(set(ids))


@given(moments, moments)
def test_ids_order_by_time_on_their_own(one, other):
    if one != other:
        assert (one < other) == (next_id(one, None) < next_id(other, None))


def test_an_id_fits_where_it_travels():
    id = next_id(1_767_225_600_000_000, None)

    assert ID_LENGTH == len(id) == 20
    assert re.fullmatch("[0-9a-hjkmnp-tv-z]+", id)
