from __future__ import annotations

from bot.commands.privacy import ERASE_CONFIRMATION, _retention_text
from tests.doubles.images import png


async def test_what_is_stored_is_counted(easel):
    await easel.ask()
    await easel.finish()
    result = await easel.ask_plain("privacy show")
    assert result.ephemeral
    assert "stores 1 job and 2 pictures" in result.response.content


async def test_direct_messages_are_allowed_and_forbidden(easel):
    owner = str(easel.alice.id)
    assert "waits for you in `/queue`" in (await easel.ask_plain("privacy show")).response.content
    result = await easel.ask_plain("privacy messages", allow="yes")
    assert result.ephemeral
    assert "comes to your direct messages" in result.response.content
    assert "comes to your direct" in (await easel.ask_plain("privacy show")).response.content
    assert "None" in (await easel.ask_plain("defaults show")).response.content
    await easel.ask_plain("defaults clear")
    assert await easel.services.dm_preferences.is_dm_allowed(owner)
    await easel.ask_plain("privacy messages", allow="no")
    assert not await easel.services.dm_preferences.is_dm_allowed(owner)
    await easel.ask_plain("privacy messages", allow="yes")
    await easel.ask_plain("privacy forget", sure=ERASE_CONFIRMATION)
    assert not await easel.services.dm_preferences.is_dm_allowed(owner)


async def test_forget_deletes_mine_and_keeps_what_others_need(easel):
    shared = ("a.png", png(colour="green"))
    await easel.ask(image=shared)
    await easel.finish(colour="yellow")
    mine = await easel.only_job()
    await easel.ask(image=shared, member=easel.bob)
    await easel.finish(colour="black")
    theirs = await easel.only_job(easel.bob)
    await easel.guilds.put_member_defaults(str(easel.alice.id), {"steps": 9})

    result = await easel.ask_plain("privacy forget", sure=ERASE_CONFIRMATION)

    assert result.ephemeral
    assert "Deleted 1 job and 2 pictures" in result.response.content
    assert await easel.jobs.reader.list_by_owner(str(easel.alice.id)) == []
    assert await easel.guilds.member_defaults(str(easel.alice.id)) == {}
    assert not await easel.blobs.exists(mine.result["pictures"][0]["key"])
    assert await easel.blobs.exists(theirs.inputs["image"])
    assert await easel.blobs.exists(theirs.result["pictures"][0]["key"])


async def test_forget_calls_off_what_runs(easel):
    await easel.ask()
    await easel.ask_plain("privacy forget", sure=ERASE_CONFIRMATION)
    assert easel.service.held == {}
    assert await easel.count() == 0


def test_how_long_things_are_kept_is_said():
    assert "at most 90 days" in _retention_text(90)
    assert "days" not in _retention_text(0)
