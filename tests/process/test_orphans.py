"""A child that hangs ends with the process that started it, which nobody asked."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inference.api import wire
from inference.api.commands import ConfigureWorker
from inference.api.config import EngineConfig
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]

#: Real processes, all but what they do once they are up: say so, and hear nothing more.
WEDGED = {
    "worker": """
import sys, types
from inference.api.messages import WorkerRecovered
from inference.worker.__main__ import main

class Worker:
    @classmethod
    def open(cls, config, sender):
        sender.send_event(WorkerRecovered(worker="it hangs"))
        while True:
            pass

sys.modules["inference.worker.worker"] = types.SimpleNamespace(Worker=Worker)
main()
""",
    "decoder": """
import bot.uploads.__main__ as module
from inference.api import frames

def hang(source, sink, *arguments):
    frames.write_frame(sink, {"hangs": True})
    while True:
        pass

module.serve_frames = hang
module.main(["1000000", "1000000", "1"])
""",
    "picture check": """
import inference.vision.nsfw.__main__ as module
from inference.api import frames

def hang(source, target, checkers):
    frames.write_frame(target, {"hangs": True})
    while True:
        pass

module.serve_checks, module.find_checkers = hang, lambda folder: ()
module.main("models")
""",
}

#: Starts the code that it is given, waits until that hangs, and says which process it is.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen(
    [sys.executable, "-c", sys.argv[1]],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
)
child.stdin.write(bytes.fromhex(sys.argv[2]))
child.stdin.flush()
assert child.stdout.read(4)
print(child.pid, flush=True)
time.sleep(600)
"""


def is_running(pid: int) -> bool:
    """Whether a process is there that is not only waiting for somebody to hear of its end."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


@pytest.mark.skipif(sys.platform != "linux", reason="a promise of Linux's kernel")
@pytest.mark.parametrize("name", WEDGED)
def test_a_child_that_hangs_ends_with_a_killed_parent(name):
    first_frame = wire.encode_message(ConfigureWorker(config=EngineConfig())).hex()
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, WEDGED[name], first_frame],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    child_pid = int(parent.stdout.readline())
    try:
        assert is_running(child_pid)
        parent.kill()
        parent.wait()

        deadline = time.monotonic() + PATIENCE
        while is_running(child_pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not is_running(child_pid)
    finally:
        parent.kill()
        parent.communicate()
        with contextlib.suppress(ProcessLookupError):
            os.kill(child_pid, signal.SIGKILL)
