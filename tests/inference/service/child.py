"""A worker process without torch: it speaks the wire and does what a test tells it by files.

Run by `LocalService(command=…)`. What it is comes as the model's name in its configuration; what
becomes of a job comes as a file `JOB.finish`, `JOB.fail` or `JOB.noise` in its outbox.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

from inference import wire
from inference.commands import Cancel, Configure, Stop, Submit
from inference.events import Dropped, Failed, Finished, ModelInfo, Progress, Ready, Troubled

LOOK = 0.005  # seconds


class Child:
    """One life."""

    def __init__(self, config: Configure) -> None:
        self.nature = config.config.model
        self.outbox = Path(config.config.outbox)
        self.held: dict[str, Submit] = {}
        self.lock = threading.Lock()

    def say(self, event: wire.Message) -> None:
        with self.lock:
            wire.write(sys.stdout.buffer, event)

    def begin(self) -> None:
        """Be what the configuration says."""
        if self.nature == "troubled":
            self.say(Troubled(reason="There is no such checkpoint."))
            sys.exit(3)
        if self.nature == "noisy":
            sys.stdout.buffer.write(b"Loading pipeline components...")
            sys.stdout.buffer.flush()
        if self.nature == "talks back":
            self.say(Stop())
        if self.nature == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.nature == "silent":
            return
        model = ModelInfo(name="child", kind="diffusion", size=64)
        self.say(
            Ready(device="cpu", dtype="none", models=(model,), notes=tuple(sorted(os.environ)))
        )
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self) -> None:
        """Do with the jobs in hand what the files say."""
        while True:
            for path in self.outbox.glob("*.*"):
                self.act(path.stem, path.suffix)
            time.sleep(LOOK)

    def act(self, job_id: str, deed: str) -> None:
        job = self.held.pop(job_id, None)
        if job is None:
            return
        if deed == ".finish":
            self.say(Progress(job_id=job_id, attempt=job.attempt, step=1, steps=1))
            self.say(Finished(job_id=job_id, attempt=job.attempt, pictures=(), text="done"))
        elif deed == ".fail":
            self.say(Failed(job_id=job_id, attempt=job.attempt, reason="no", fault="input"))

    def work(self) -> None:
        """Take commands until told to stop."""
        while True:
            match wire.read(sys.stdin.buffer):
                case Submit() as job:
                    self.held[job.job_id] = job
                case Cancel(job_id=job_id, attempt=attempt):
                    if self.held.pop(job_id, None):
                        self.say(Dropped(job_id=job_id, attempt=attempt))
                case Stop(drain=drain) if self.nature != "stubborn":
                    (self.outbox / "stopped").write_text("drained" if drain else "at once")
                    return
                case None if self.nature != "stubborn":
                    return
                case None:
                    time.sleep(60)
                case _:
                    continue


def main() -> None:
    first = wire.read(sys.stdin.buffer)
    assert isinstance(first, Configure)
    child = Child(first)
    child.begin()
    child.work()


if __name__ == "__main__":
    main()
