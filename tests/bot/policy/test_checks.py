"""A server's rules as pure functions."""

from __future__ import annotations

import pytest

from bot.errors import NotAllowed
from bot.policy import Asker, Rules, check_job, check_place, check_queue
from inference.jobs import Imagine, Img2Img, Loopback, Upscale

HERE = Asker(channels=frozenset({"7", "70"}), roles=frozenset({"1", "2"}))


@pytest.mark.parametrize(
    "rules",
    [
        Rules(),
        Rules(channels=frozenset({"7"})),
        Rules(channels=frozenset({"70", "9"})),  # the channel of this thread
        Rules(roles=frozenset({"2", "5"})),
        Rules(channels=frozenset({"7"}), roles=frozenset({"1"})),
    ],
)
def test_who_is_let_through(rules):
    check_place(rules, HERE)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (Rules(channels=frozenset({"9", "8"})), "<#8> or <#9>"),
        (Rules(roles=frozenset({"5"})), "<@&5>"),
        (Rules(channels=frozenset({"7"}), roles=frozenset({"5"})), "<@&5>"),
    ],
)
def test_who_is_not_and_reads_why(rules, words):
    with pytest.raises(NotAllowed) as refused:
        check_place(rules, HERE)
    assert words in str(refused.value)


CEILINGS = [
    (Rules(max_steps=30), Img2Img(steps=30), Img2Img(steps=31)),
    (Rules(max_steps=30), Imagine(hires_steps=30), Imagine(hires_steps=31)),
    (Rules(max_batch=2), Img2Img(batch=2), Img2Img(batch=3)),
    (Rules(max_loops=4), Loopback(loops=4), Loopback(loops=5)),
    (
        Rules(max_megapixels=1.0),
        Img2Img(width=1000, height=1000),
        Img2Img(width=1000, height=1001),
    ),
    (
        Rules(max_megapixels=1.0),
        Imagine(width=500, height=500, hires_scale=2.0),
        Imagine(width=500, height=500, hires_scale=2.5),
    ),
]


@pytest.mark.parametrize(("rules", "allowed", "refused"), CEILINGS)
def test_a_ceiling_is_itself_allowed(rules, allowed, refused):
    check_job(rules, allowed)
    check_job(Rules(), refused)
    with pytest.raises(NotAllowed):
        check_job(rules, refused)


def test_an_enlargement_is_measured_once_its_picture_is_known():
    rules, job = Rules(max_megapixels=1.0), Upscale(factor=4.0)
    check_job(rules, job)
    check_job(rules, job, [(250, 250)])
    with pytest.raises(NotAllowed, match=r"1\.02 megapixels"):
        check_job(rules, job, [(250, 256)])


def test_jobs_under_way():
    check_queue(Rules(max_jobs=2), 1)
    check_queue(Rules(), 100)
    with pytest.raises(NotAllowed, match="allows 2"):
        check_queue(Rules(max_jobs=2), 2)


def test_settings_of_other_parts_are_not_looked_at():
    kept = {"channels": ["7"], "max_steps": 30, "other": "de"}
    assert Rules.decode(kept) == Rules(channels=frozenset({"7"}), max_steps=30)
    assert Rules.decode({}) == Rules()
