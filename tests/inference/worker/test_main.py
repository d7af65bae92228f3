"""The worker as the service starts it: a process of its own, frames on its standard pipes."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inference.api import wire
from inference.api.commands import ConfigureWorker, StopWorker
from inference.api.messages import (
    JobFinished,
    JobProgress,
    JobsWaiting,
    ModelsChanged,
    ResidentModels,
    StartFailed,
    WorkerReady,
)
from inference.api.notices import Notice
from inference.worker.__main__ import EXIT_CANNOT_START
from tests.inference.worker.conftest import submission
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[3]


@contextmanager
def process(*command: str) -> Iterator[subprocess.Popen]:
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def worker():
    return process("-m", "inference.worker")


def test_a_job_goes_through_and_the_end_of_the_input_ends_all(config, photo):
    with worker() as running:
        wire.write_message(running.stdin, ConfigureWorker(config=config))
        assert isinstance(wire.read_message(running.stdout), WorkerReady)

        wire.write_message(running.stdin, submission("a", photo))
        heard = [wire.read_message(running.stdout)]
        while isinstance(heard[-1], JobProgress | JobsWaiting | ResidentModels):
            heard.append(wire.read_message(running.stdout))
        assert isinstance(heard[-1], JobFinished)

        wire.write_message(running.stdin, submission("b", photo, steps=150))
        said = wire.read_message(running.stdout)
        assert isinstance(said, JobProgress | JobsWaiting | ModelsChanged)
        running.stdin.close()
        assert running.wait(PATIENCE) == 0


def test_a_missing_checkpoint_is_told_and_ends_with_its_own_code(config):
    config = dataclasses.replace(config, model="unheard-of")
    with worker() as running:
        wire.write_message(running.stdin, ConfigureWorker(config=config))

        troubled = wire.read_message(running.stdout)

        assert isinstance(troubled, StartFailed)
        assert "unheard-of" in str(troubled.reason)
        assert wire.read_message(running.stdout) is None
        assert running.wait(PATIENCE) == EXIT_CANNOT_START


def test_a_first_frame_that_configures_nothing_is_refused():
    with worker() as running:
        wire.write_message(running.stdin, StopWorker())

        assert wire.read_message(running.stdout) == StartFailed(reason=Notice("worker.bad_frame"))
        assert running.wait(PATIENCE) == EXIT_CANNOT_START


def test_a_bot_that_is_gone_before_its_first_word_leaves_no_worker():
    with worker() as running:
        running.stdin.close()

        assert running.wait(PATIENCE) == EXIT_CANNOT_START


PRINTS = """
import os, sys
from inference.api.messages import StartFailed
from inference.api.notices import Notice
from inference.worker.stdio import EventSender, reserve_stdout
outlet = EventSender(reserve_stdout())
print("Loading pipeline components...")
os.system("echo a child of the worker")
outlet.send_event(StartFailed(reason=Notice("none")))
print("Done", flush=True)
"""


def test_what_libraries_print_does_not_reach_the_frames():
    with process("-c", PRINTS) as running:
        out, errors = running.communicate(timeout=PATIENCE)

    assert wire.encode_message(StartFailed(reason=Notice("none"))) == out
    assert b"Loading pipeline components..." in errors
    assert b"a child of the worker" in errors


ORPHAN = """
import sys
from inference.api.messages import StartFailed
from inference.api.notices import Notice
from inference.worker.stdio import EventSender, reserve_stdout
outlet = EventSender(reserve_stdout())
sys.stdin.read()
outlet.send_event(StartFailed(reason=Notice("x" * 100_000)))
outlet.send_event(StartFailed(reason=Notice("again")))
sys.stderr.write("still here")
"""


def test_speaking_to_a_bot_that_is_gone_is_no_error():
    with process("-c", ORPHAN) as running:
        running.stdout.close()
        running.stdin.close()

        assert b"still here" in running.stderr.read()
