from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from bot.cli.doctor import _check_loops
from bot.settings import Settings
from bot.support.loops import (
    ALERT_AFTER_FAILURES,
    HEALTH_FILE,
    LoopFailure,
    LoopHealth,
    read_failing_loops,
)


class Rounds:
    """Work that ends as it is told, round by round, and then for good."""

    def __init__(self, *outcomes: BaseException | None) -> None:
        self.outcomes = list(outcomes)
        self.done = asyncio.Event()

    async def work(self) -> None:
        await asyncio.sleep(0)
        if not self.outcomes:
            self.done.set()
            await asyncio.Event().wait()
        outcome = self.outcomes.pop(0)
        if outcome is not None:
            raise outcome


async def no_pause() -> None:
    return


async def run(health, rounds, pause=no_pause, **options):
    """Run a loop until its outcomes are over, and give its task."""
    loop = asyncio.create_task(health.run_loop("claim", rounds.work, pause, **options))
    await rounds.done.wait()
    return loop


async def end(loop):
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop


@pytest.mark.parametrize("error", [ValueError("x"), RecursionError(), asyncio.CancelledError()])
async def test_a_loop_goes_on_after_any_error_and_ends_when_it_is_cancelled(error):
    await end(await run(LoopHealth(), Rounds(error, None, error)))


async def test_a_pause_that_fails_ends_no_loop(monkeypatch):
    monkeypatch.setattr("bot.support.loops.FALLBACK_PAUSE_SECONDS", 0.0)

    async def broken_pause() -> None:
        raise OSError

    await end(await run(LoopHealth(), Rounds(ValueError(), ValueError()), broken_pause))


async def test_what_fails_is_in_the_file_until_it_works_again(tmp_path):
    path = tmp_path / HEALTH_FILE
    health = LoopHealth(path)
    loop = await run(health, Rounds(ValueError("the disk"), ValueError("the disk is full")))

    failure = read_failing_loops(path)["claim"]
    assert (failure.failures, failure.error) == (2, "ValueError: the disk is full")
    await end(loop)
    await end(await run(health, Rounds(None)))
    assert not path.exists()


async def test_a_start_forgets_what_failed_before(tmp_path):
    path = tmp_path / HEALTH_FILE
    path.write_text(json.dumps({"claim": {"failures": 2, "since": "then", "error": "x"}}))

    LoopHealth(path)

    assert read_failing_loops(path) == {}


@pytest.mark.parametrize("alert_error", [None, RuntimeError()])
async def test_the_host_is_told_once_of_a_loop_that_keeps_failing(alert_error):
    alerts = []

    def alert(words):
        alerts.append(words)
        if alert_error is not None:
            raise alert_error

    failures = [ValueError("odd")] * (2 * ALERT_AFTER_FAILURES)
    await end(await run(LoopHealth(), Rounds(*failures), alert=alert))

    (words,) = alerts
    assert "claim loop keeps failing (ValueError: odd)" in words


async def test_no_secret_of_an_error_is_kept(tmp_path):
    token = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcdE." + "x" * 38
    path = tmp_path / HEALTH_FILE

    await end(await run(LoopHealth(path), Rounds(ValueError(token))))

    assert token not in path.read_text()


async def test_a_folder_that_cannot_be_written_ends_no_loop(tmp_path):
    await end(await run(LoopHealth(tmp_path / "nowhere" / "file"), Rounds(ValueError(), None)))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"claim": 7}', '{"claim": {"a": 1}}', "[" * 9])
def test_a_file_of_no_use_is_none(tmp_path, text):
    path = tmp_path / HEALTH_FILE
    path.write_text(text)

    assert read_failing_loops(path) == {}


def test_doctor_says_which_loops_fail(tmp_path):
    settings = Settings(_env_file=None, data_dir=Path(tmp_path))
    assert not _check_loops(settings).fix
    failure = LoopFailure(failures=7, since="2026-03-01T12:00:00+00:00", error="DiskFull: no room")
    (tmp_path / HEALTH_FILE).write_text(json.dumps({"sweep": vars(failure)}))

    result = _check_loops(settings)

    assert (
        "sweep failed 7 times since 2026-03-01T12:00:00+00:00 (DiskFull: no room)" in result.words
    )
    assert "mend what the error names" in result.fix
