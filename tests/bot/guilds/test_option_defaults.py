from __future__ import annotations

import pytest

from bot.guilds import GuildSettings
from bot.guilds.policy import (
    MEMBER_DEFAULT_OPTIONS,
    apply_guild_defaults,
    apply_member_defaults,
    check_defaults,
)
from inference.api.errors import JobError
from inference.api.jobs import (
    EditingJob,
    ExplainJob,
    ImagineJob,
    Img2ImgJob,
    LoopbackJob,
    UpscaleJob,
    list_job_options,
)
from inference.api.jobs.model_defaults import ModelDefault


def test_what_is_given_wins():
    filled = apply_member_defaults(
        Img2ImgJob, {"steps": 9, "prompt": "a"}, {"steps": 30, "guidance": 4.0}
    )
    assert filled == {"steps": 9, "prompt": "a", "guidance": 4.0}


def test_a_kind_takes_only_what_it_knows():
    mine = {"strength": 0.4, "steps": 30}
    assert apply_member_defaults(ImagineJob, {}, mine) == {"steps": 30}
    assert apply_member_defaults(UpscaleJob, {}, mine) == {}
    assert apply_member_defaults(ExplainJob, {}, mine) == {}


def test_a_default_that_became_impossible_is_left_out():
    mine = {"sampler": "Renamed", "steps": 900, "guidance": 5.0, "mask_blur": 9}
    assert apply_member_defaults(Img2ImgJob, {}, mine) == {"guidance": 5.0}


def test_impossible_defaults_are_refused():
    with pytest.raises(JobError, match="steps"):
        check_defaults({"steps": 900})


def test_every_one_is_an_option():
    assert set(MEMBER_DEFAULT_OPTIONS) <= {option.name for option in list_job_options(EditingJob)}


@pytest.mark.parametrize(
    ("rules", "given", "filled"),
    [
        ({}, {}, {}),
        ({"default_steps": 30}, {}, {"steps": 30}),
        ({"default_steps": 30}, {"steps": 9}, {"steps": 9}),
        ({"max_steps": 10}, {}, {"steps": 10}),
        ({"max_steps": 10}, {"steps": 40}, {"steps": 40}),
        ({"default_steps": 30, "max_steps": 25, "default_batch": 2}, {}, {"steps": 25, "batch": 2}),
        ({"max_steps": 100, "max_batch": 8}, {}, {}),
        ({"default_loops": 2}, {}, {}),
    ],
)
def test_what_a_server_takes_where_nothing_is_said(rules, given, filled):
    assert apply_guild_defaults(Img2ImgJob, given, GuildSettings(**rules)) == filled


def test_a_servers_loops_are_for_loops_and_an_enlargement_takes_nothing():
    rules = GuildSettings(default_loops=2, default_steps=30)
    assert apply_guild_defaults(LoopbackJob, {}, rules) == {"steps": 30, "loops": 2}
    assert apply_guild_defaults(UpscaleJob, {}, rules) == {}


@pytest.mark.parametrize(
    ("rules", "given", "filled"),
    [
        ({}, {}, {"steps": 4, "guidance": 1.0}),
        ({}, {"guidance": 6.0}, {"steps": 4, "guidance": 6.0}),
        ({"default_steps": 30}, {}, {"steps": 30, "guidance": 1.0}),
        ({"max_steps": 3}, {}, {"steps": 3, "guidance": 1.0}),
        ({"max_steps": 10, "max_batch": 2}, {}, {"steps": 4, "guidance": 1.0}),
    ],
)
def test_the_servers_own_is_before_the_checkpoints_and_that_before_the_kinds(rules, given, filled):
    own = (ModelDefault("steps", 4, "family"), ModelDefault("guidance", 1.0, "family"))
    assert apply_guild_defaults(Img2ImgJob, given, GuildSettings(**rules), own) == filled
