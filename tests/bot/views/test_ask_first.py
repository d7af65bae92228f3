"""What buttons do for a member who wants to be asked first."""

from __future__ import annotations

import pytest

from tests.bot.views.test_results import child_of, done
from tests.doubles.cards import press
from tests.doubles.forms import controls_of, filled_in


async def asking(easel, first="yes"):
    return await easel.ask_plain("defaults ask", first=first)


@pytest.mark.parametrize("label", ["Again", "Vary", "Vary (strong)"])
async def test_a_button_opens_a_form_that_holds_the_job(easel, label):
    result = await done(easel, prompt="a red apple", seed=5, steps=9)
    await asking(easel)
    await easel.restart()
    shown = await press(easel.alice, result.response, label=label)
    assert await easel.count() == 1
    assert shown.modal["title"] == "Before it runs: img2img"
    controls = controls_of(shown.modal)
    assert controls["prompt"]["value"] == "a red apple"
    assert controls["steps"]["value"] == "9"
    assert ("variation strength: 0\n" in controls["more"]["value"]) is (label == "Again")
    await easel.alice.submit_modal(shown, filled_in(shown, prompt="a pear"))
    job = await child_of(easel)
    (_, parent) = await easel.jobs.reader.list_by_owner(str(easel.alice.id))
    assert (job.params["prompt"], job.params["steps"], job.parent) == ("a pear", 9, parent.id)
    assert (job.params["seed"] == 5) is (label != "Again")
    assert bool(job.params["variation_strength"]) is (label != "Again")


async def test_an_arrow_opens_a_form_with_its_side(easel):
    result = await done(easel, prompt="a red apple")
    await asking(easel)
    arrows = await press(easel.alice, result.response, label="Outpaint")
    shown = await press(easel.alice, arrows.response, label="Left")
    assert filled_in(shown)["preset"] == ["pan left"]
    await easel.alice.submit_modal(shown, filled_in(shown, prompt="a beach"))
    job = await child_of(easel)
    assert (job.kind, job.params["preset"], job.params["prompt"]) == (
        "outpaint",
        "pan left",
        "a beach",
    )


async def test_it_is_each_members_own_choice_and_can_be_taken_back(easel):
    result = await done(easel)
    said = await asking(easel)
    assert said.ephemeral
    assert "ask first" in said.response.content
    await asking(easel, "no")
    card = await press(easel.alice, result.response, label="Again")
    assert not card.ephemeral
    assert await easel.count() == 2


async def test_what_failed_is_tried_again_at_once(easel):
    await easel.ask()
    easel.service.fail("broken")
    await easel.env.settle()
    await asking(easel)
    await press(easel.alice, easel.messages()[-1], label="Try again")
    assert await easel.count() == 2


async def test_other_defaults_and_styles_stay(easel):
    await easel.ask_plain("defaults set", steps=9)
    await easel.ask_plain("style save", name="Ink", prompt="ink")
    shown = await asking(easel)
    assert "steps: `9`" in shown.response.content
    assert "Ink" in (await easel.ask_plain("style list")).response.content
