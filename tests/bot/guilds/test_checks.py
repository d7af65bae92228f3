"""A server's rules as pure functions."""

from __future__ import annotations

import pytest

from bot.errors import NotAllowed
from bot.guilds import GuildSettings, RequestContext, check_job, check_place, check_queue
from inference.api.jobs import ImagineJob, Img2ImgJob, LoopbackJob, UpscaleJob

HERE = RequestContext(channels=frozenset({"7", "70"}), roles=frozenset({"1", "2"}))


@pytest.mark.parametrize(
    "rules",
    [
        GuildSettings(),
        GuildSettings(channels=frozenset({"7"})),
        GuildSettings(channels=frozenset({"70", "9"})),  # the channel of this thread
        GuildSettings(roles=frozenset({"2", "5"})),
        GuildSettings(channels=frozenset({"7"}), roles=frozenset({"1"})),
    ],
)
def test_who_is_let_through(rules):
    check_place(rules, HERE)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (GuildSettings(channels=frozenset({"9", "8"})), "<#8> or <#9>"),
        (GuildSettings(roles=frozenset({"5"})), "<@&5>"),
        (GuildSettings(channels=frozenset({"7"}), roles=frozenset({"5"})), "<@&5>"),
    ],
)
def test_who_is_not_and_reads_why(rules, words):
    with pytest.raises(NotAllowed) as refused:
        check_place(rules, HERE)
    assert words in str(refused.value)


CEILINGS = [
    (GuildSettings(max_steps=30), Img2ImgJob(steps=30), Img2ImgJob(steps=31)),
    (GuildSettings(max_steps=30), ImagineJob(hires_steps=30), ImagineJob(hires_steps=31)),
    (GuildSettings(max_batch=2), Img2ImgJob(batch=2), Img2ImgJob(batch=3)),
    (GuildSettings(max_loops=4), LoopbackJob(loops=4), LoopbackJob(loops=5)),
    (
        GuildSettings(max_megapixels=1.0),
        Img2ImgJob(width=1000, height=1000),
        Img2ImgJob(width=1000, height=1001),
    ),
    (
        GuildSettings(max_megapixels=1.0),
        ImagineJob(width=500, height=500, hires_scale=2.0),
        ImagineJob(width=500, height=500, hires_scale=2.5),
    ),
]


@pytest.mark.parametrize(("rules", "allowed", "refused"), CEILINGS)
def test_a_ceiling_is_itself_allowed(rules, allowed, refused):
    check_job(rules, allowed)
    check_job(GuildSettings(), refused)
    with pytest.raises(NotAllowed):
        check_job(rules, refused)


def test_an_enlargement_is_measured_once_its_picture_is_known():
    rules, job = GuildSettings(max_megapixels=1.0), UpscaleJob(factor=4.0)
    check_job(rules, job)
    check_job(rules, job, [(250, 250)])
    with pytest.raises(NotAllowed, match=r"1\.02 megapixels"):
        check_job(rules, job, [(250, 256)])


def test_jobs_under_way():
    check_queue(GuildSettings(max_jobs=2), 1)
    check_queue(GuildSettings(), 100)
    with pytest.raises(NotAllowed, match="allows 2"):
        check_queue(GuildSettings(max_jobs=2), 2)


def test_settings_of_other_parts_are_not_looked_at():
    kept = {"channels": ["7"], "max_steps": 30, "other": "de"}
    assert GuildSettings.from_stored(kept) == GuildSettings(channels=frozenset({"7"}), max_steps=30)
    assert GuildSettings.from_stored({}) == GuildSettings()
