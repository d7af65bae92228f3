from __future__ import annotations

from bot.commands.privacy import ERASE_CONFIRMATION, _retention_text
from tests.doubles.images import png


async def test_what_is_stored_is_counted(house):
    await house.ask()
    await house.finish()
    result = await house.ask_plain("privacy show")
    assert result.ephemeral
    assert "stores 1 job and 2 pictures" in result.response.content


async def test_direct_messages_are_allowed_and_forbidden(house):
    owner = str(house.alice.id)
    assert "waits for you in `/queue`" in (await house.ask_plain("privacy show")).response.content
    result = await house.ask_plain("privacy messages", allow="yes")
    assert result.ephemeral
    assert "comes to your direct messages" in result.response.content
    assert "comes to your direct" in (await house.ask_plain("privacy show")).response.content
    assert "None" in (await house.ask_plain("defaults show")).response.content
    await house.ask_plain("defaults clear")
    assert await house.services.dm_preferences.is_dm_allowed(owner)
    await house.ask_plain("privacy messages", allow="no")
    assert not await house.services.dm_preferences.is_dm_allowed(owner)
    await house.ask_plain("privacy messages", allow="yes")
    await house.ask_plain("privacy forget", sure=ERASE_CONFIRMATION)
    assert not await house.services.dm_preferences.is_dm_allowed(owner)


async def test_forget_deletes_mine_and_keeps_what_others_need(house):
    shared = ("a.png", png(colour="green"))
    await house.ask(image=shared)
    await house.finish(colour="yellow")
    mine = await house.only_job()
    await house.ask(image=shared, member=house.bob)
    await house.finish(colour="black")
    theirs = await house.only_job(house.bob)
    await house.guilds.put_member_defaults(str(house.alice.id), {"steps": 9})

    result = await house.ask_plain("privacy forget", sure=ERASE_CONFIRMATION)

    assert result.ephemeral
    assert "Deleted 1 job and 2 pictures" in result.response.content
    assert await house.jobs.reader.list_by_owner(str(house.alice.id)) == []
    assert await house.guilds.member_defaults(str(house.alice.id)) == {}
    assert not await house.blobs.exists(mine.result["pictures"][0]["key"])
    assert await house.blobs.exists(theirs.inputs["image"])
    assert await house.blobs.exists(theirs.result["pictures"][0]["key"])


async def test_forget_calls_off_what_runs(house):
    await house.ask()
    await house.ask_plain("privacy forget", sure=ERASE_CONFIRMATION)
    assert house.service.held == {}
    assert await house.count() == 0


def test_how_long_things_are_kept_is_said():
    assert "at most 90 days" in _retention_text(90)
    assert "days" not in _retention_text(0)
