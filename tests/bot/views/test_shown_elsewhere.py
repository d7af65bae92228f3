"""A result made in a direct message or elsewhere obeys the place where it is shown."""

from __future__ import annotations

import pytest

from tests.doubles.cards import press
from tests.doubles.images import png


@pytest.fixture
def rules(easel):
    async def change(**settings):
        await easel.guilds.change_settings(str(easel.guild.id), "1", settings)

    return change


@pytest.fixture
async def outbox(easel):
    """A result from a direct message that could not be shown there, in a server's `/queue`."""
    await easel.users["alice"].slash("imagine", prompt="a lot of gore")
    easel.close_channel()
    await easel.finish()
    page = (await easel.ask_plain("queue")).response
    easel.open_channel()
    return page


async def press_show(easel, page):
    custom_id = page.components[0]["components"][0]["custom_id"]
    return await easel.alice.click(page, custom_id=custom_id)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"banned_words": ["gore"]}, "“gore”"),
        ({"banned_patterns": ["g.re"]}, "gore"),
        ({"channels": ["12345"]}, "Easel is used in <#12345>"),
        ({"roles": ["12345"]}, "Easel is for <@&12345>"),
        ({"nsfw_ordinary": "block"}, "not for everybody"),
        ({"nsfw_ordinary": "hold"}, "not for everybody"),
    ],
)
async def test_what_the_place_forbids_is_not_shown_and_stays(easel, outbox, rules, settings, words):
    await rules(**settings)
    easel.detector.scores = [0.95]

    refused = await press_show(easel, outbox)

    assert refused.ephemeral
    assert words in refused.response.content
    assert refused.response.attachments == []
    assert (await easel.only_job()).delivery == "undelivered"


async def test_where_no_picture_can_be_checked_none_is_shown(easel, outbox, rules):
    await rules(nsfw_ordinary="block")
    easel.detector.present = False
    assert "the check does not work" in (await press_show(easel, outbox)).response.content


async def test_what_the_place_hides_is_hidden(easel, outbox, rules):
    await rules(nsfw_ordinary="spoiler")
    easel.detector.scores = [0.95]
    shown = await press_show(easel, outbox)
    (file,) = shown.response.attachments
    assert file.filename.startswith("SPOILER_")


async def test_where_results_are_private_it_is_for_its_member_alone(easel, outbox, rules):
    await rules(visibility="private")
    shown = await press_show(easel, outbox)
    assert shown.ephemeral
    assert len(shown.response.attachments) == 1


async def test_what_nothing_forbids_is_shown(easel, outbox, rules):
    await rules(nsfw_ordinary="block", banned_words=["torture"])
    easel.detector.scores = [0.05]
    shown = await press_show(easel, outbox)
    assert not shown.ephemeral
    assert len(shown.response.attachments) == 1


async def test_one_picture_of_a_sheet_obeys_the_rules_of_the_moment(easel, rules):
    result = await easel.ask(prompt="a lot of gore", batch=2, image=("photo.png", png()))
    await easel.finish(images=2)
    await rules(visibility="private")
    assert (await press(easel.alice, result.response, label="U1")).ephemeral
    await rules(banned_words=["gore"])
    refused = await press(easel.alice, result.response, label="U1")
    assert "“gore”" in (refused.followups or [refused.response])[-1].content
