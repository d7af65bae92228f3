from __future__ import annotations

import asyncio
import socket
import urllib.request
from datetime import timedelta

import pytest

from bot.errors import SettingsError
from bot.support.prometheus import LOOPBACK_ADDRESS, serve_metrics
from storage.database import Database
from storage.jobs import JobStore
from tests.storage.factories import ROOMY, make_job

#: This machine's, too, where it has the name; what listens on loopback alone is not there.
OTHER_ADDRESS = "127.0.0.2"


@pytest.fixture
async def jobs(tmp_path):
    async with Database(tmp_path / "easel.db") as database:
        yield JobStore(database)


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind((LOOPBACK_ADDRESS, 0))
        return free.getsockname()[1]


def read(port, host=LOOPBACK_ADDRESS):
    with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=10) as answer:
        return answer.read().decode()


async def test_what_is_measured_can_be_read_on_this_machine(jobs, port):
    await jobs.queue.enqueue(make_job(), ROOMY)
    async with serve_metrics(port, jobs) as meter:
        meter.record_claim(timedelta(seconds=3))
        meter.record_steps(2, 4)
        meter.record_announcement("sent")
        meter.record_announcement("undelivered")
        meter.record_loop_lag(0.02)
        text = ""
        while 'easel_jobs{state="queued"} 1.0' not in text:
            text = await asyncio.to_thread(read, port)
        with pytest.raises(OSError):
            await asyncio.to_thread(read, port, OTHER_ADDRESS)

    for line in (
        'easel_wait_seconds_bucket{le="5.0"} 1.0',
        "easel_steps_total 2.0",
        'easel_batch_rows_bucket{le="4.0"} 1.0',
        'easel_deliveries_total{outcome="sent"} 1.0',
        'easel_deliveries_total{outcome="undelivered"} 1.0',
        "easel_loop_lag_seconds_bucket",
    ):
        assert line in text
    with pytest.raises(OSError):
        await asyncio.to_thread(read, port)


async def test_a_port_that_is_taken_is_said(jobs, port):
    async with serve_metrics(port, jobs):
        with pytest.raises(SettingsError, match=f"port {port} cannot be used"):
            async with serve_metrics(port, jobs):
                pass
