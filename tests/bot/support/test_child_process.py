"""One deadline for the whole of an exchange, whatever the process at the other end does."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from bot.support.child_process import ChildCrashed, ChildProcess

LARGE = bytes(5_000_000)  # many times what a pipe holds
SILENT = {
    "never reads": "time.sleep(600)",
    "reads a little": "sys.stdin.buffer.read(100); time.sleep(600)",
    "reads slowly": "while True: sys.stdin.buffer.read(9); time.sleep(0.05)",
    "reads and says nothing": "sys.stdin.buffer.read(); time.sleep(600)",
    "answers slowly": "while True: out(bytes(1)); time.sleep(0.05)",
    "breaks off in the head": "out(bytes(3)); time.sleep(600)",
    "breaks off in the body": "out(struct.pack('>II', 2, 9) + b'{}'); time.sleep(600)",
    "leaves a process behind": "subprocess.Popen(['sleep', '600']); time.sleep(600)",
    "leaves one and ends": "subprocess.Popen(['sleep', '600'])",
    "stops": "os.kill(os.getpid(), signal.SIGSTOP)",
    "ignores its end": "signal.signal(15, signal.SIG_IGN); time.sleep(600)",
}
"""What a process may do instead of an answer."""

BEGINNING = """
import os, signal, struct, subprocess, sys, time
def out(data):
    sys.stdout.buffer.write(data)
    sys.stdout.flush()
"""


def start(script: str) -> ChildProcess:
    return ChildProcess([sys.executable, "-c", BEGINNING + script], dict(os.environ))


@pytest.mark.skipif(sys.platform == "win32", reason="signals and sleep differ")
@pytest.mark.parametrize("body", [b"", LARGE], ids=["no picture", "5 MB"])
@pytest.mark.parametrize("way", SILENT)
def test_an_exchange_ends_at_its_deadline(way, body):
    child, ended = start(SILENT[way]), threading.Event()

    def ask() -> None:
        with pytest.raises(ChildCrashed):
            child.send_request({"work": "score"}, body, timeout_seconds=0.3, max_body_bytes=100)
        ended.set()

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    assert ended.wait(60)
    asking.join()


def test_who_was_killed_at_the_deadline_answers_nobody_else(monkeypatch):
    """An answer that comes at the very moment of the deadline."""
    answer = "from inference.api import frames; frames.write_frame(sys.stdout.buffer, {}); "
    child = start(answer + "sys.stdin.read()")
    timers = threading.Timer

    def fire_at_once(seconds, function):
        timer = timers(0, function)
        timer.cancel = timer.join  # type: ignore[method-assign]
        return timer

    monkeypatch.setattr(threading, "Timer", fire_at_once)
    with pytest.raises(ChildCrashed) as crash:
        child.send_request({"work": "score"}, timeout_seconds=60)
    assert crash.value.by_signal
