from __future__ import annotations

import dataclasses
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import messages
from bot.dispatcher.estimation import TimeRange
from bot.guilds import GuildSettings
from bot.i18n import use_language
from bot.messages import guild_settings
from bot.messages.help import HELP_PAGES, help_page_text
from inference.api.jobs import JOB_TYPES, Img2ImgJob, UpscaleJob
from storage.records import JobRecord, JobState, QueuePlace
from tests.storage.factories import make_record

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def record(**changes: Any) -> JobRecord:
    params = Img2ImgJob(prompt="a red apple", seed=5).to_params()
    return make_record(**({"params": params, "created_at": NOON} | changes))


def place(position: int) -> QueuePlace:
    return QueuePlace(position=position, ahead_cost=0, running_cost=0, queued=position, running=1)


def done(**outcome: Any) -> JobRecord:
    image = {"key": "0" * 64, "width": 64, "height": 32, "seed": 7, "role": "result"}
    result = {"pictures": [image], "text": "", "notes": [], "seconds": 2.25} | outcome
    return record(state=JobState.DONE, result=result)


@pytest.mark.parametrize(
    ("position", "words"),
    [(1, "Next in the queue."), (4, "Number 4 in the queue, behind 3.")],
)
def test_a_place_in_the_queue(position, words):
    assert messages.waiting_card(record(), place(position), workers_ready=1).endswith(words)


def test_what_is_to_be_expected_is_said_as_no_promise():
    card = messages.waiting_card(
        record(), place(1), workers_ready=1, ready_span=TimeRange(20.0, 80.0), price=7.26
    )
    assert "-# Going by the last jobs: ready in 20 to 80 s, takes about 7.3 GPU-seconds" in card
    known = messages.waiting_card(record(), place(1), workers_ready=0, price=41.6)
    assert "-# Going by the last jobs: takes about 42 GPU-seconds" in known


@pytest.mark.parametrize(
    ("position", "own", "words"),
    [
        (1, 0, "number 1 in the queue ·"),
        (3, 2, "number 3 in the queue, behind 2 of your own ·"),
        (3, 0, "number 3 in the queue, behind 2 of other members ·"),
        (6, 1, "number 6 in the queue, behind 1 of your own and 4 of other members ·"),
    ],
)
def test_a_place_says_who_goes_first(position, own, words):
    assert words in messages.queue_line(record(), replace(place(position), own_jobs_ahead=own))


def test_a_place_says_until_when():
    line = messages.queue_line(record(), place(1), TimeRange(50.0, 130.0))
    assert "number 1 in the queue, ready in 1 to 2 min ·" in line


def test_the_rule_is_said_to_who_waits():
    assert "served least" in messages.queue_overview(["one"], 1, 0, 1, explain=True)
    assert "served least" not in messages.queue_overview(["one"], 0, 1, 1)


def test_no_worker_is_said():
    assert "No worker is running" in messages.waiting_card(record(), place(1), workers_ready=0)


def test_notes_about_the_pictures_are_on_the_card():
    card = messages.waiting_card(
        record(), place(1), workers_ready=1, notes=["Only the first frame."]
    )
    assert card.splitlines()[-1] == "Only the first frame."


@pytest.mark.parametrize(
    ("step", "steps", "words"),
    [(0, 20, "▱" * 12), (10, 20, "▰" * 6 + "▱" * 6), (20, 20, "▰" * 12), (0, 0, "▱" * 12)],
)
def test_progress_is_a_bar_and_words(step, steps, words):
    assert messages.progress_card(record(), step, steps).endswith(f"{words} step {step} of {steps}")


def test_a_result_says_what_made_it():
    assert messages.result_card(done()).splitlines() == [
        "**img2img** for <@42> · `a red apple`",
        "-# 64 × 32 · seed `7` · 20 steps · Euler a · guidance 7 · strength 0.75 · 2.2 s",
    ]


def test_an_upscale_says_by_what():
    upscaled = replace(done(), kind="upscale", params=UpscaleJob(factor=4.0).to_params())
    assert messages.summary_line(upscaled) == f"64 × 32 · {UpscaleJob().upscaler} × 4 · 2.2 s"


def test_an_interrogation_is_quoted():
    described = messages.result_card(done(text="a *cat*", notes=["no ranks"]))
    assert "> a \\*cat\\*\n" in described
    assert described.endswith("no ranks")


def test_a_table_keeps_its_layout():
    table = "Prompt\n  1.30  red\n  1.00  ```apple"
    assert "```\nPrompt\n  1.30  red\n  1.00  ˋˋˋapple\n```" in messages.result_card(
        done(text=table)
    )


def test_long_words_are_cut_on_the_card():
    assert not messages.exceeds_card("a" * messages.MAX_ANSWER_CHARACTERS)
    assert messages.exceeds_card("a" * (messages.MAX_ANSWER_CHARACTERS + 1))


def test_a_failure_gives_its_reason():
    failure = record(state=JobState.FAILED, error="The mask is blank.")
    assert messages.failed_card(failure).endswith("⚠️ The mask is blank.")


@given(st.text(max_size=3000))
def test_a_prompt_cannot_break_out_of_a_card(prompt):
    params = Img2ImgJob(prompt=prompt).to_params()
    card = messages.waiting_card(record(params=params), place(1), workers_ready=1)
    assert len(card) <= messages.MAX_MESSAGE_CHARACTERS
    assert len(card.splitlines()) == 2
    assert card.count("`") in (0, 2)


@given(st.text(max_size=9000))
def test_a_result_fits_a_message_whatever_was_said(text):
    assert (
        len(messages.result_card(done(text=text, notes=[text]))) <= messages.MAX_MESSAGE_CHARACTERS
    )


@given(st.text(max_size=3000), st.integers(1, 9))
def test_alt_text_fits(prompt, of):
    described = messages.alt_text(record(params={"prompt": prompt}), 1, of)
    assert 0 < len(described) <= messages.MAX_ALT_TEXT_CHARACTERS


def test_alt_text_numbers_the_pictures_of_a_batch():
    assert messages.alt_text(record(), 2, 4) == "img2img, picture 2 of 4: a red apple"


@pytest.mark.parametrize("hostile", ["\u202eevil", "a\u200bb", "\x1b[31m", "x\u2066y"])
def test_direction_and_control_signs_are_taken_out(hostile):
    for shown in (messages.escape_untrusted(hostile, 50), messages.inline_code(hostile, 50)):
        assert not set(shown) & set("\u202e\u200b\x1b\u2066")


def test_a_refusal_keeps_its_times_and_places():
    words = "Ask <t:1700000000:R> in <#123>, @everyone *now* <@&7>."
    shown = messages.failed_card(record(state=JobState.FAILED, error=words))
    assert "Ask <t:1700000000:R> in <#123>, @everyone \\*now\\* <@&7>." in shown


def test_markdown_of_strangers_is_text():
    assert messages.escape_untrusted("**bold** [x](http://y)", 99).startswith(r"\*\*bold\*\*")


def test_the_queue_is_cut_to_a_message():
    page = messages.queue_overview(["x" * 300] * 20, 3, 1, 2)
    assert len(page) == messages.MAX_MESSAGE_CHARACTERS
    assert page.startswith("1 running, 3 waiting, 2 workers ready.")


def test_an_empty_queue():
    assert messages.queue_overview([], 0, 0, 0).splitlines() == [
        "0 running, 0 waiting, no workers ready.",
        "You have nothing in the queue.",
    ]


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (record(), "number 2 in the queue"),
        (record(state=JobState.RUNNING, step=3, steps=20), "running, step 3 of 20"),
        (record(state=JobState.RUNNING), "running ·"),
        (
            record(state=JobState.DONE, delivery_note="the channel is gone"),
            "done; could not be shown: the channel is gone",
        ),
    ],
)
def test_a_line_of_the_queue(job, words):
    assert words in messages.queue_line(job, place(2) if job.state is JobState.QUEUED else None)


def test_every_page_of_help_fits_a_message():
    assert (
        max(len(help_page_text(topic)) for topic in HELP_PAGES) <= messages.MAX_MESSAGE_CHARACTERS
    )


def test_every_kind_has_a_page_of_help():
    assert set(JOB_TYPES) <= set(HELP_PAGES)


def test_a_result_says_what_it_is_charged_with():
    assert messages.summary_line(done(charged=1.44)).endswith(" · 2.2 s · GPU 1.4 s")
    assert messages.summary_line(done(charged=0.0)).endswith(" · 2.2 s")


@pytest.mark.parametrize(
    ("job", "title"),
    [
        (UpscaleJob(mode="redraw"), "redraw"),
        (UpscaleJob(), "upscale"),
        (Img2ImgJob(), "img2img"),
    ],
)
def test_a_job_is_called_as_the_command_that_asks_for_it(job, title):
    stored = record(kind=job.kind, params=job.to_params())
    assert messages.job_title(job) == messages.job_title(stored) == title
    assert messages.received_message(job).startswith(f"**{title}**")


def test_every_setting_that_changes_has_a_name_of_its_own():
    named = set(guild_settings.CHANGE_LABELS)
    assert {field.name for field in dataclasses.fields(GuildSettings)} - named == set()


def test_a_change_names_places_roles_and_choices_as_members_read_them():
    changed = {"channels": ["12"], "role_quotas": {"34": 60.0}, "nsfw_ordinary": "block"}
    with use_language("de"):
        text = messages.settings_changes({}, changed, only_check=False)
    assert "<#12>" in text
    assert "<@&34>: 60.0" in text
    assert not re.search("channels|role_quotas|nsfw_ordinary|`block`", text)
