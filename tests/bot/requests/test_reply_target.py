from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.requests.reply_target import ReplyTarget

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HERE = ReplyTarget(
    application_id=1, token="t", asked_at=NOON, channel_id=2, guild_id=3, message_id=4
)


@given(
    st.builds(
        ReplyTarget,
        application_id=st.integers(0, 2**63),
        token=st.text(),
        asked_at=st.datetimes(timezones=st.just(UTC)),
        channel_id=st.integers(0, 2**63),
        guild_id=st.none() | st.integers(0, 2**63),
        message_id=st.integers(0, 2**63),
        file_limit=st.integers(1, 2**40),
    )
)
def test_it_is_read_back_as_it_was_written(place):
    assert ReplyTarget.from_json(place.to_json()) == place


@pytest.mark.parametrize("text", ["", "cli", "{}", "[]", "null", '{"asked_at": "2026-01-01"}'])
def test_what_is_no_place_in_discord_is_none(text):
    assert ReplyTarget.from_json(text) is None


def test_the_token_works_for_fourteen_minutes():
    assert HERE.is_token_valid(NOON + timedelta(minutes=13, seconds=59))
    assert not HERE.is_token_valid(NOON + timedelta(minutes=14))


def test_a_token_left_out_does_not_work():
    assert not HERE.without_token().is_token_valid(NOON)
    assert "token" not in HERE.without_token().token
