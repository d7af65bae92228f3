from __future__ import annotations

import json

import pytest

from bot.support.health import (
    HEALTH_REPORT_FILE,
    HealthReport,
    UnreadableReport,
    check_health,
    describe_report,
    judge_report,
    read_report,
    remove_report,
    write_report,
)

NOW = 1_700_000_000.0


def report(**changed) -> HealthReport:
    facts = {
        "time": NOW - 8,
        "version": "1.2.3",
        "pid": 7,
        "gateway_latency_seconds": 0.042,
        "discord_absence_seconds": 0.0,
        "loop_lag_seconds": 0.001,
        "workers": 2,
        "ready_workers": 1,
        "waiting_jobs": 3,
        "oldest_wait_seconds": 12.4,
        "free_disk_bytes": 41 * 2**30,
    }
    return HealthReport(**facts | changed)


@pytest.mark.parametrize(
    ("changed", "is_healthy", "words"),
    [
        ({}, True, "Discord answers in 42 ms; 1 of 2 workers ready; jobs waiting: 3"),
        ({"time": NOW - 59}, True, ""),
        ({"time": NOW - 61}, False, "the last report is 61 s old"),
        ({"time": NOW + 61}, False, "61 s ahead of the clock"),
        ({"discord_absence_seconds": 299.0}, True, "Discord gone for 299 s"),
        ({"discord_absence_seconds": 301.0}, False, "Discord has been gone for 301 s"),
        ({"workers": 1, "ready_workers": 0}, True, "0 of 1 workers ready"),
        ({"workers": 0, "ready_workers": 0}, True, "0 of 0 workers ready"),
        ({"waiting_jobs": None, "oldest_wait_seconds": None}, True, "the database does not answer"),
        ({"waiting_jobs": 0}, True, "no job waits"),
        ({"gateway_latency_seconds": None}, True, "Discord is there"),
        ({"failing_loops": {"claim": "ValueError: x"}}, True, "failing loops: claim (see doctor)"),
    ],
)
def test_a_bot_is_judged_by_its_age_and_by_discord_alone(changed, is_healthy, words):
    verdict = judge_report(report(**changed), NOW)

    assert verdict.is_healthy is is_healthy
    assert words in verdict.words


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / HEALTH_REPORT_FILE
    written = report(failing_loops={"claim": "ValueError: x"})

    write_report(path, report())
    write_report(path, written)

    assert read_report(path) == written
    assert [entry.name for entry in tmp_path.iterdir()] == [HEALTH_REPORT_FILE]


def test_a_newer_bots_report_is_read(tmp_path):
    path = tmp_path / HEALTH_REPORT_FILE
    write_report(path, report())
    path.write_text(json.dumps(json.loads(path.read_text()) | {"moon": "full"}))

    assert read_report(path) == report()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", "null", '{"time": "now"}', '{"time": NaN}', "\x00\xff"]
)
def test_a_damaged_report_is_unhealthy_and_said(tmp_path, content):
    (tmp_path / HEALTH_REPORT_FILE).write_text(content, encoding="latin-1")

    verdict = check_health(tmp_path, NOW)

    assert not verdict.is_healthy
    assert "is damaged" in verdict.words


@pytest.mark.parametrize("name", ["time", "discord_absence_seconds"])
def test_a_number_that_is_none_is_damage(tmp_path, name):
    path = tmp_path / HEALTH_REPORT_FILE
    write_report(path, report())
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: float("nan")}))

    with pytest.raises(UnreadableReport, match="is damaged"):
        read_report(path)


def test_no_report_is_no_running_bot(tmp_path):
    verdict = check_health(tmp_path / "nowhere", NOW)

    assert not verdict.is_healthy
    assert "the bot does not run on this data directory" in verdict.words


def test_a_report_can_be_removed_twice(tmp_path):
    path = tmp_path / HEALTH_REPORT_FILE
    write_report(path, report())

    remove_report(path)
    remove_report(path)

    assert list(tmp_path.iterdir()) == []


def test_a_description_is_one_line():
    assert "\n" not in describe_report(report(failing_loops={"claim": "two\nlines"}))
