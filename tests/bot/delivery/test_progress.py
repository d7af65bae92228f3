"""How often cards are edited, by a clock of the test's own."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from unittest.mock import Mock

import pytest

from bot.delivery.progress import EDIT_INTERVAL_SECONDS, MAX_EDITS_PER_SECOND, ProgressUpdater

TICK = 0.1  # seconds between two steps of a job
SECONDS = 60


def run_jobs(count: int, updater: ProgressUpdater, now: list[float]) -> dict[int, list[float]]:
    """Let jobs step for a minute; return when each one's card was edited."""
    edits = defaultdict(list)
    for tick in range(round(SECONDS / TICK)):
        now[0] = tick * TICK
        for job in range(count):
            if updater.should_update(f"job-{job}"):
                edits[job].append(now[0])
    return edits


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def updater(now) -> ProgressUpdater:
    return ProgressUpdater(Mock(), Mock(), Mock(), Mock(), clock=lambda: now[0])


@pytest.mark.parametrize("count", [1, 40, 100, 101, 400, 1024])
def test_cards_share_the_edits_of_a_second_and_none_is_left_out(updater, now, count):
    edits = run_jobs(count, updater, now)

    moments = sorted(moment for own in edits.values() for moment in own)
    for first, beyond in zip(moments, moments[MAX_EDITS_PER_SECOND:], strict=False):
        assert beyond - first >= 1 - 1e-6
    interval = max(EDIT_INTERVAL_SECONDS, count / MAX_EDITS_PER_SECOND)
    assert len(edits) == count
    for own in edits.values():
        gaps = [later - earlier for earlier, later in pairwise(own)]
        assert all(gap >= EDIT_INTERVAL_SECONDS - 1e-6 for gap in gaps)
        assert max(gaps) <= 2 * interval + 2
    assert len(moments) >= 0.8 * min(count / EDIT_INTERVAL_SECONDS, MAX_EDITS_PER_SECOND) * SECONDS


def test_jobs_that_ended_leave_their_share_to_the_others(updater, now):
    run_jobs(400, updater, now)
    for job in range(1, 400):
        updater.forget_job(f"job-{job}")
    now[0] += EDIT_INTERVAL_SECONDS

    assert updater.should_update("job-0")
    now[0] += EDIT_INTERVAL_SECONDS
    assert updater.should_update("job-0")


def test_jobs_that_only_wait_take_no_share(updater, now):
    for job in range(4000):
        updater.state_for(f"waiting-{job}")
    assert updater.should_update("job")
    now[0] += EDIT_INTERVAL_SECONDS
    assert updater.should_update("job")
