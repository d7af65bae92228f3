from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import discord
import pytest
from discord import app_commands

from bot.commands import COG_CLASSES
from bot.views import PERSISTENT_BUTTONS
from bot.views.base import ConfirmDeleteButton
from bot.views.history.pages import HistoryPageButton
from bot.views.history.selection import JobSelect
from inference.api.workers import WorkerPool

ROOT = Path(__file__).parents[2]
ROOTS = [command for cog in COG_CLASSES for command in cog.__cog_app_commands__]
COMMANDS = [
    leaf
    for root in ROOTS
    for leaf in (root.walk_commands() if isinstance(root, app_commands.Group) else [root])
]
# Discord's limits: developers/interactions/application-commands.
MAX_OPTIONS, MAX_CHOICES, MAX_CHARACTERS = 25, 25, 8000
MAX_NAME, MAX_DESCRIPTION = 32, 100


def payload(command: app_commands.Command) -> dict:
    client = discord.Client(intents=discord.Intents.none())
    return command.to_dict(app_commands.CommandTree(client))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.qualified_name)
def test_a_command_keeps_within_discords_limits(command):
    body = payload(command)
    options = body["options"]
    texts = [body["name"], body["description"]]
    for option in options:
        choices = option.get("choices", [])
        texts += [option["name"], option["description"]]
        texts += [str(choice[part]) for choice in choices for part in ("name", "value")]
        assert len(choices) <= MAX_CHOICES
        assert len(option["name"]) <= MAX_NAME
        assert 1 <= len(option["description"]) <= MAX_DESCRIPTION
        assert option["description"] != "…"
        assert abs(option.get("max_value", 0)) <= 2**53
    assert len(options) <= MAX_OPTIONS
    assert sum(map(len, texts)) <= MAX_CHARACTERS
    required = [option["required"] for option in options]
    assert sorted(required, reverse=True) == required
    assert len({option["name"] for option in options}) == len(options)


def test_no_two_commands_share_a_name():
    assert len({command.qualified_name for command in COMMANDS}) == len(COMMANDS)
    assert len({command.name for command in ROOTS}) == len(ROOTS)


def test_custom_ids_fit_and_name_their_button():
    ids = [
        button("0" * 20).item.custom_id
        for button in PERSISTENT_BUTTONS
        if button not in (JobSelect, HistoryPageButton, ConfirmDeleteButton)
    ]
    ids.append(ConfirmDeleteButton("0" * 20, 2**63).item.custom_id)
    ids += [JobSelect().item.custom_id, HistoryPageButton(10**6 - 1).item.custom_id]
    assert len(set(ids)) == len(ids)
    assert all(len(custom_id) <= 100 for custom_id in ids)


def test_the_bot_asks_for_nothing_privileged(easel):
    asked = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
    assert easel.bot.intents.value == asked.value
    assert not easel.bot.intents.message_content
    assert easel.bot.allowed_mentions.to_dict() == {"parse": []}


def test_the_double_is_a_service(easel):
    service: WorkerPool = easel.service
    assert [worker.name for worker in service.worker_statuses] == [easel.service.worker]


async def test_one_server_for_development(easel):
    easel.settings = easel.settings.model_copy(update={"dev_guild": easel.guild.id})
    await easel.restart()
    puts = [r.path for r in easel.env.http_requests if r.method == "PUT"]
    assert puts[-1].endswith(f"/guilds/{easel.guild.id}/commands")


async def test_closing_hands_the_jobs_back(easel):
    await easel.ask()
    await easel.services.dispatcher.stop(0.0)
    await easel.services.delivery.stop(0.0)
    record = await easel.only_job()
    assert (record.state, record.strikes) == ("queued", 0)


def test_the_bot_starts_without_the_libraries_of_its_workers():
    code = (
        "import sys, json; import main, bot.client, bot.app, bot.cli.demo_server;"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, capture_output=True, check=True
    )
    loaded = set(json.loads(done.stdout))
    heavy = {"torch", "diffusers", "transformers", "spandrel", "simcord", "scipy"}
    assert loaded & heavy == set()
