from __future__ import annotations

import pytest

from inference.api.jobs import ExplainJob, ImagineJob, Img2ImgJob, UpscaleJob
from inference.api.jobs.model_defaults import (
    ModelDefault,
    fill_model_defaults,
    is_guidance_too_high,
)

DEFAULTS = (ModelDefault("steps", 4, "catalogue"), ModelDefault("guidance", 1.0, "file"))


def test_what_was_said_wins():
    assert fill_model_defaults(ImagineJob, {"steps": 9}, DEFAULTS) == {"steps": 9, "guidance": 1.0}
    assert fill_model_defaults(Img2ImgJob, {}, ()) == {}


def test_only_what_paints_with_a_checkpoint_takes_them():
    assert fill_model_defaults(UpscaleJob, {}, DEFAULTS) == {}
    assert fill_model_defaults(ExplainJob, {}, DEFAULTS) == {}
    redrawn = fill_model_defaults(UpscaleJob, {"mode": "redraw"}, DEFAULTS)
    assert redrawn == {"mode": "redraw", "steps": 4, "guidance": 1.0}


@pytest.mark.parametrize(
    ("own", "guidance", "is_too_high"),
    [(1.0, 2.5, False), (1.0, 3.0, True), (2.0, 3.5, False), (2.0, 7.0, True), (5.0, 15.0, False)],
)
def test_guidance_burns_what_was_taught_to_do_without(own, guidance, is_too_high):
    assert is_guidance_too_high(guidance, [ModelDefault("guidance", own, "file")]) is is_too_high
    assert not is_guidance_too_high(guidance, [])
