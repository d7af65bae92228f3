"""Setup's steps: done, done again, left out, taken back, and what bad input is told."""

from __future__ import annotations

import shutil
import stat

import pytest

from bot.cli.setup.env_file import read_variables
from bot.cli.setup.options import STEPS
from bot.support.invitation import invite_url
from tests.doubles.discord_accounts import BOT_ID, OTHER_BOT_ID, token_of

TOKEN = token_of(BOT_ID)


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


async def test_options_alone_lead_from_nothing_to_an_invitation(host, set_up, token_file):
    host.give_card(12)
    code, words = await set_up(token_file=token_file)
    assert code == 0
    assert read_variables(host.env_file) == {"DISCORD_TOKEN": TOKEN, "EASEL_MODEL": "realvisxl-v5"}
    assert stat.S_IMODE(host.env_file.stat().st_mode) == 0o600
    assert host.pulls == [("realvisxl-v5",)]
    assert [(job["kind"], job["model"], job["width"]) for job in host.drawn] == [
        ("imagine", "realvisxl-v5", 1024)
    ]
    assert "easel-of-ada" in words
    assert words.endswith(f"Invite it here: {invite_url(BOT_ID)}")
    assert TOKEN not in words


async def test_a_dialogue_leads_there_too(host, set_up):
    host.give_card(4)
    answers = {"Token": [TOKEN], "Which checkpoint": "sd15", "Write ": True}
    code, words = await set_up(answers)
    assert code == 0
    assert read_variables(host.env_file) == {"DISCORD_TOKEN": TOKEN, "EASEL_MODEL": "sd15"}
    assert host.dialogue.default == "dreamshaper-8"
    assert list(host.dialogue.choices) == ["dreamshaper-8", "sd15", "starter"]
    unit = (host.folder / "home/.config/systemd/user/easel.service").read_text()
    assert f"WorkingDirectory={host.folder}" in unit
    assert " run\n" in unit
    assert invite_url(BOT_ID) in words


async def test_it_is_done_again_without_fetching_or_asking_twice(host, set_up, token_file):
    await set_up(token_file=token_file, checkpoint="sd15")
    before = host.env_file.read_text()
    host.pulls.clear()
    code, words = await set_up(checkpoint="sd15")
    assert code == 0
    assert host.pulls == []
    assert host.env_file.read_text() == before
    assert "sd15 is here already" in words
    assert invite_url(BOT_ID) in words


@pytest.mark.parametrize("step", STEPS)
async def test_every_step_can_be_left_out(host, set_up, token_file, step):
    steps = tuple(name for name in STEPS if name != step)
    code, words = await set_up(token_file=token_file, checkpoint="sd15", steps=steps)
    assert code == 0
    done = read_variables(host.env_file)
    assert ("DISCORD_TOKEN" in done, "EASEL_MODEL" in done, bool(host.drawn)) == (
        step != "token",
        step != "checkpoint",
        step != "picture",
    )
    assert ("Python: " in words, "service" in words) == (step != "checks", step != "service")


async def test_the_token_and_the_checkpoint_are_taken_back(host, set_up, token_file):
    await set_up(token_file=token_file, checkpoint="sd15")
    weights = host.lay("sd15")
    assert (await set_up(undo="token"))[0] == 0
    assert read_variables(host.env_file) == {"EASEL_MODEL": "sd15"}
    assert (await set_up({"Delete ": False}, undo="checkpoint"))[0] == 0
    assert weights.exists()
    await set_up(checkpoint="sd15", steps=("checkpoint",))
    assert (await set_up({"Delete ": True}, undo="checkpoint"))[0] == 0
    assert read_variables(host.env_file) == {}
    assert not weights.exists()
    assert "names no checkpoint" in (await set_up(undo="checkpoint"))[1]


async def test_the_service_is_taken_back(host, set_up):
    unit = host.folder / "home/.config/systemd/user/easel.service"
    await set_up({"Write ": True}, steps=("service",))
    assert unit.exists()
    await set_up(undo="service")
    assert not unit.exists()
    assert "there is no" in (await set_up(undo="service"))[1]


async def test_without_systemd_the_step_says_so(set_up, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    code, words = await set_up(steps=("service",))
    assert code == 0
    assert "there is no systemd here" in words


# Bad input.


async def test_a_wrong_token_is_refused_and_nothing_is_written(host, set_up, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text(token_of(OTHER_BOT_ID))
    code, words = await set_up(token_file=wrong, steps=("token",))
    assert code == 2
    assert "Discord does not know this token" in words
    assert not host.env_file.exists()


async def test_a_wrong_token_is_asked_for_again(host, set_up):
    answers = {"Token": ["nonsense", token_of(OTHER_BOT_ID), TOKEN]}
    code, words = await set_up(answers, steps=("token",))
    assert read_variables(host.env_file) == {"DISCORD_TOKEN": TOKEN}
    assert words.count("FIX") >= 2
    assert code == 0


async def test_a_token_may_be_left_out(host, set_up):
    code, words = await set_up({"Token": [""]}, steps=("token",))
    assert code == 0
    assert "left out" in words
    code, words = await set_up(steps=("token",))
    assert code == 2
    assert "--token-file" in words


async def test_another_applications_token_is_refused(host, set_up, token_file):
    code, words = await set_up(token_file=token_file, application=42, steps=("token",))
    assert code == 2
    assert f"the token of another application: easel-of-ada has the id {BOT_ID}, not 42" in words
    assert "https://discord.com/developers/applications/42/bot" in words
    assert not host.env_file.exists()


async def test_another_bots_token_in_the_file_is_not_lost_unasked(host, set_up, accounts):
    host.env_file.write_text(f"DISCORD_TOKEN={token_of(OTHER_BOT_ID)}\n")
    answers = {"Token": [TOKEN, ""], "Change to this bot?": False}
    code, words = await set_up(answers, steps=("token",))
    assert code == 2
    assert f"the token of another bot (id {OTHER_BOT_ID})" in words
    assert read_variables(host.env_file)["DISCORD_TOKEN"] == token_of(OTHER_BOT_ID)
    answers = {"Token": [TOKEN], "Change to this bot?": True}
    await set_up(answers, steps=("token",))
    assert read_variables(host.env_file)["DISCORD_TOKEN"] == TOKEN


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00"])
async def test_a_token_file_without_a_token_is_refused(set_up, tmp_path, content):
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    code, words = await set_up(token_file=path, steps=("token",))
    assert code == 2
    assert "FIX" in words


async def test_a_discord_that_does_not_answer_is_a_failure_not_a_refusal(
    set_up, accounts, token_file
):
    accounts.status = 503
    code, words = await set_up(token_file=token_file, steps=("token",))
    assert code == 1
    assert "try again in a minute" in words


async def test_a_card_too_small_for_what_was_chosen_is_said(host, set_up):
    host.give_card(4)
    code, words = await set_up(checkpoint="sdxl-base", steps=("checkpoint",))
    assert code == 2
    assert "takes a card of 8 GB, and this one has 4.0" in words
    assert "What fits it: dreamshaper-8, sd15. Or say --low-memory." in words
    assert host.pulls == []
    code, _ = await set_up(checkpoint="sdxl-base", low_memory=True, steps=("checkpoint",))
    assert code == 0
    assert read_variables(host.env_file) == {
        "EASEL_MODEL": "sdxl-base",
        "EASEL_LOW_MEMORY": "medvram",
    }


async def test_a_broken_download_says_how_to_go_on(host, set_up):
    host.pull_code = 1
    code, words = await set_up(checkpoint="sd15", steps=("checkpoint",))
    assert code == 1
    assert "--only checkpoint --checkpoint sd15` again: it goes on where it stopped" in words
    assert read_variables(host.env_file) == {}


async def test_nothing_is_fetched_where_that_is_not_wanted(host, set_up):
    code, words = await set_up(checkpoint="sd15", no_download=True, steps=("checkpoint",))
    assert code == 2
    assert "`models pull sd15`" in words
    assert (await set_up(no_download=True, steps=("checkpoint",)))[0] == 0
    assert host.pulls == []


@pytest.mark.parametrize(
    ("key", "words"),
    [("sd-15", "Did you mean sd15"), ("lcm-sd15", "is a lora, not a checkpoint")],
)
async def test_a_key_that_is_no_checkpoint_is_refused(set_up, key, words):
    code, said = await set_up(checkpoint=key, steps=("checkpoint",))
    assert code == 2
    assert words in said


async def test_a_licence_is_agreed_to_for_the_pull(host, set_up):
    await set_up(checkpoint="sdxl-turbo", accept_licence=True, steps=("checkpoint",))
    assert host.pulls == [("sdxl-turbo", "--accept-licence")]


async def test_a_full_disk_and_a_closed_file_are_said(host, set_up, token_file, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=1000)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _place: usage)
        code, words = await set_up(steps=("checks",))
    assert code == 1
    assert "Free some disk space" in words
    host.env_file.mkdir()
    code, words = await set_up(token_file=token_file, steps=("token",))
    assert code == 1
    assert ".env cannot be written" in words


async def test_a_picture_that_fails_is_said(host, set_up):
    host.job_code = 1
    code, words = await set_up(steps=("picture",))
    assert code == 1
    assert "`doctor` looks for the reason" in words


async def test_the_environment_that_goes_before_is_said(host, set_up, monkeypatch):
    monkeypatch.setenv("EASEL_MODEL", "other")
    _, words = await set_up(checkpoint="sd15", steps=("checkpoint",))
    assert "EASEL_MODEL of the environment goes before" in words
