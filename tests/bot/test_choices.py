from __future__ import annotations

import pytest

from bot.choices import OPTIONS, check_defaults, with_defaults, with_servers
from bot.policy import Rules
from inference.errors import JobError
from inference.jobs import Editing, Explain, Imagine, Img2Img, Loopback, Upscale, options


def test_what_is_given_wins():
    filled = with_defaults(Img2Img, {"steps": 9, "prompt": "a"}, {"steps": 30, "guidance": 4.0})
    assert filled == {"steps": 9, "prompt": "a", "guidance": 4.0}


def test_a_kind_takes_only_what_it_knows():
    mine = {"strength": 0.4, "steps": 30}
    assert with_defaults(Imagine, {}, mine) == {"steps": 30}
    assert with_defaults(Upscale, {}, mine) == {}
    assert with_defaults(Explain, {}, mine) == {}


def test_a_default_that_became_impossible_is_left_out():
    mine = {"sampler": "Renamed", "steps": 900, "guidance": 5.0, "mask_blur": 9}
    assert with_defaults(Img2Img, {}, mine) == {"guidance": 5.0}


def test_impossible_defaults_are_refused():
    with pytest.raises(JobError, match="steps"):
        check_defaults({"steps": 900})


def test_every_one_is_an_option():
    assert set(OPTIONS) <= {option.name for option in options(Editing)}


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
    assert with_servers(Img2Img, given, Rules(**rules)) == filled


def test_a_servers_loops_are_for_loops_and_an_enlargement_takes_nothing():
    rules = Rules(default_loops=2, default_steps=30)
    assert with_servers(Loopback, {}, rules) == {"steps": 30, "loops": 2}
    assert with_servers(Upscale, {}, rules) == {}
