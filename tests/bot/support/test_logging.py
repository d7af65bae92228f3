from __future__ import annotations

import asyncio
import io
import json
import logging
import sys

import aiohttp
import pytest

from bot.support import logging as logs
from storage.jobs import JobStore
from tests.bot.support.test_redaction import BOT, SECRETS, WEBHOOK
from tests.storage.factories import ROOMY, make_job

log = logging.getLogger("easel.test")


@pytest.fixture
def stream():
    root = logging.getLogger()
    before = (root.handlers[:], root.level, sys.excepthook)
    yield io.StringIO()
    root.handlers[:], sys.excepthook = before[0], before[2]
    root.setLevel(before[1])


@pytest.fixture
def lines(stream):
    """Log as JSON; give what was logged so far."""
    logs.configure_logging("DEBUG", "json", stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_what_was_said_besides(lines):
    log.warning("Job %s fell silent.", "abc", extra={"action": "lease_expired"})

    (line,) = lines()
    assert line["event"] == "Job abc fell silent."
    assert (
        line["level"],
        line["logger"],
        line["action"],
    ) == ("warning", "easel.test", "lease_expired")
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_is_logged_however_it_comes(stream, form, name):
    logs.configure_logging("DEBUG", form, stream)
    text, secret = SECRETS[name]

    log.error(text)
    log.error("it failed: %s", ValueError(text), extra={"address": text, "parts": [text]})
    try:
        raise ConnectionError(text) from ValueError(text)
    except ConnectionError:
        log.exception("it failed")
    sys.excepthook(ValueError, ValueError(text), None)

    assert secret not in stream.getvalue()
    assert stream.getvalue().count("\n") >= 4


FORGED = "2026-03-01T12:00:00Z [info     ] All is well."
CONTROLS = [chr(number) for number in range(0x20)] + list(
    "\x7f\x85\x9b\xad\u061c\u200b\u200e\u2028\u2029\u202e\u2066\ufeff\ud800\U000e0041"
)


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize("control", [*CONTROLS, "\r\n", "\x1b[2K\x1b[1A"])
def test_nothing_that_is_logged_begins_a_line_or_moves_the_cursor(stream, form, control):
    logs.configure_logging("DEBUG", form, stream)
    text = f"a red{control}{FORGED}"

    log.error("%s", text)
    log.error("it failed", extra={"words": text, "parts": [text, {text: text}]})
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("it failed: %s", text)

    written = stream.getvalue()
    written.encode("utf-8")
    lines = written.removesuffix("\n").split("\n")
    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith((FORGED, "[")) for line in lines)
    if form == "json":
        assert [json.loads(line)["event"] for line in lines] == [
            text,
            "it failed",
            f"it failed: {text}",
        ]


def test_what_is_written_with_joiners_is_logged_as_it_is(stream):
    logs.configure_logging("DEBUG", "console", stream)

    log.info("a family 👩‍👧, naïve, 猫, نامه‌ای")

    assert "a family 👩‍👧, naïve, 猫, نامه‌ای" in stream.getvalue()


async def test_a_request_that_fails_tells_no_token(lines):
    """The HTTP client writes whole addresses into its errors."""
    async with aiohttp.ClientSession() as session:
        try:
            await session.patch(f"http://127.0.0.1:1/api/webhooks/1/{WEBHOOK}/messages/2")
        except aiohttp.ClientError as error:
            log.exception("It did not get through: %s %r", error, error)
    asyncio.get_running_loop().call_exception_handler({"message": f"task with {BOT}"})

    assert len(lines()) >= 2
    assert WEBHOOK not in str(lines())
    assert BOT not in str(lines())


async def test_what_is_done_for_a_job_says_so(lines, database_jobs):
    record, _ = await database_jobs.queue.enqueue(make_job(idempotency_key="interaction-7"), ROOMY)

    async def later():
        log.info("in a task of its own")

    with logs.job_log_context(record):
        log.info("inside")
        task = asyncio.create_task(later())
    await task
    log.info("outside")

    inside, own, outside = lines()[-3:]
    for line in (inside, own):
        assert (record.id, 0, "interaction-7") == (line["job"], line["attempt"], line["trace"])
    assert "job" not in outside


async def test_one_trace_leads_from_the_interaction_to_the_message(lines, easel):
    await easel.ask()
    await easel.finish()
    record = await easel.only_job()

    told = {line["event"]: line["trace"] for line in lines() if line.get("job") == record.id}
    assert set(told.values()) == {record.idempotency_key}
    assert f"Enqueued job {record.id}." in told
    assert f"Job {record.id} is shown as message {record.message}." in told


@pytest.fixture
async def database_jobs(tmp_path):
    from storage.database import Database

    async with Database(tmp_path / "easel.db") as database:
        yield JobStore(database)
