from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands.mentions.intent_parser import parse_intent
from inference.api.jobs import JOB_TYPES, list_job_options

SAID = {
    "upscale": ("upscale", {}),
    "upscale 2x": ("upscale", {"factor": 2.0}),
    "Upscale it by x4!": ("upscale", {"factor": 4.0}),
    "redraw": ("upscale", {"mode": "redraw"}),
    "Redraw it 2x!": ("upscale", {"mode": "redraw", "factor": 2.0}),
    "redraw 2x: a red apple, strength 0.2, batch 3": (
        "upscale",
        {"mode": "redraw", "factor": 2.0, "prompt": "a red apple", "strength": 0.2},
    ),
    "redraw it as a fox": ("img2img", {"prompt": "a fox"}),
    "enlarge 1,5×": ("upscale", {"factor": 1.5}),
    "describe": ("interrogate", {"method": "caption"}),
    "what is this?": ("interrogate", {"method": "caption"}),
    "tags": ("interrogate", {"method": "tags"}),
    "outpaint left 128": ("outpaint", {"left": 128, "prompt": ""}),
    "outpaint left 64 and up 32 px a wide beach": (
        "outpaint",
        {"left": 64, "up": 32, "prompt": "a wide beach"},
    ),
    "extend right": ("outpaint", {"preset": "pan right", "prompt": ""}),
    "extend left and up": ("outpaint", {"left": 128, "up": 128, "prompt": ""}),
    "outpaint": ("outpaint", {"preset": "zoom out 1.5x", "prompt": ""}),
    "outpaint to 16:9 a beach": ("outpaint", {"preset": "to 16:9", "prompt": "a beach"}),
    "zoom out": ("outpaint", {"preset": "zoom out 1.5x"}),
    "zoom out 2x": ("outpaint", {"preset": "zoom out 2x"}),
    "make it square": ("outpaint", {"preset": "make square"}),
    "pan left": ("outpaint", {"preset": "pan left"}),
    "inpaint a red hat": ("inpaint", {"prompt": "a red hat"}),
    "inpaint left 30%: a window": ("inpaint", {"mask_shape": "left 30%", "prompt": "a window"}),
    "inpaint B2-D4 + E5: a cat": ("inpaint", {"mask_shape": "B2-D4 + E5", "prompt": "a cat"}),
    "inpaint a clock: golden": ("inpaint", {"prompt": "a clock: golden"}),
    "loop 6 a city of glass": ("loopback", {"loops": 6, "prompt": "a city of glass"}),
    "again": ("again", {}),
    "reroll!": ("again", {}),
    "": ("help", {}),
    "help": ("help", {}),
    "make it a watercolour": ("img2img", {"prompt": "a watercolour"}),
    "turn this into a pencil sketch, strength 0.4": (
        "img2img",
        {"prompt": "a pencil sketch", "strength": 0.4},
    ),
    "make it night --steps 30 seed: 5 cfg=4,5": (
        "img2img",
        {"prompt": "night", "steps": 30, "seed": 5, "guidance": 4.5},
    ),
    "edit make it snow, image guidance 1.2, guidance 6": (
        "img2img",
        {"prompt": "make it snow", "image_guidance": 1.2, "guidance": 6.0},
    ),
    "loop 2 snow image guidance 1.2": ("loopback", {"prompt": "snow", "loops": 2}),
    "make it a man with strength of ten": ("img2img", {"prompt": "a man with strength of ten"}),
    "make it five steps 2.5 high": ("img2img", {"prompt": "five steps 2.5 high"}),
}


@pytest.mark.parametrize("words", SAID)
def test_what_is_said_and_what_is_meant(words):
    wish = parse_intent(words)
    assert (wish.kind, dict(wish.values), wish.is_explicit) == (*SAID[words], True)


@pytest.mark.parametrize("words", ["a watercolour", "thanks, lovely!", "upscaled art", "loopy"])
def test_words_without_a_verb_may_be_talk(words):
    wish = parse_intent(words)
    assert (wish.kind, wish.values["prompt"], wish.is_explicit) == ("img2img", words, False)


def test_numbers_beyond_their_bounds_are_left_to_the_job():
    assert parse_intent("upscale 99x").values == {"factor": 99.0}
    assert parse_intent("make it red strength 7").values["strength"] == 7.0


@given(st.text(max_size=80))
def test_anything_can_be_read_and_only_options_come_out(text):
    wish = parse_intent(text)
    known = (
        {option.name for option in list_job_options(JOB_TYPES[wish.kind])}
        if wish.kind in JOB_TYPES
        else set()
    )
    assert set(wish.values) <= known


def test_long_words_are_read_in_time():
    assert parse_intent("outpaint " + "left " * 2000).kind == "outpaint"
    assert parse_intent(" ".join(["strength"] * 2000)).kind == "img2img"
