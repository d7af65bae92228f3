"""A worker process without torch: it speaks the wire and does what a test tells it by files.

Run by `LocalWorkerPool(command=…)`. What it is comes as the model's name in its configuration; what
becomes of a job comes as a file `JOB.finish` or `JOB.fail` in its outbox, where `JOB.held` says
that it has it. One that is `eager` or `refusing` does or refuses every job at once.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from PIL import Image

from inference.api import wire
from inference.api.commands import CancelJob, ConfigureWorker, StopWorker, SubmitJob
from inference.api.messages import (
    JobCancelled,
    JobFailed,
    JobFinished,
    JobProgress,
    ModelInfo,
    ModelsChanged,
    OutputFile,
    ResidentModels,
    StartFailed,
    WorkerReady,
)
from inference.api.notices import Notice

LOOK = 0.005  # seconds
STEP = 0.01  # seconds that a step of an unhurried one takes
#: Beside the outboxes of a node: what its workers began and ended.
TALLY_FILE = "tally"


class Child:
    """One life."""

    def __init__(self, config: ConfigureWorker) -> None:
        self.nature = config.config.model
        self.device = config.config.device
        self.device_workers = config.config.device_workers
        self.outbox = Path(config.config.outbox)
        self.outbox.mkdir(parents=True, exist_ok=True)
        self.held: dict[str, SubmitJob] = {}
        self.lock = threading.Lock()

    def say(self, event: wire.Message) -> None:
        with self.lock:
            wire.write_message(sys.stdout.buffer, event)

    def begin(self) -> None:
        """Be what the configuration says."""
        if self.nature == "troubled":
            self.say(StartFailed(reason=Notice("There is no such checkpoint.")))
            sys.exit(3)
        if self.nature == "noisy":
            sys.stdout.buffer.write(b"Loading pipeline components...")
            sys.stdout.buffer.flush()
        if self.nature == "deep":
            body = b"[" * 100_000
            sys.stdout.buffer.write(wire.FRAME_HEADER.pack(len(body)) + body)
            sys.stdout.buffer.flush()
        if self.nature == "deep lines":
            sys.stderr.write("[" * 500_000 + "\n" + "x" * 500_000 + "\nlast words\n")
            sys.stderr.flush()
        if self.nature == "leaves a child":
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        if self.nature == "talks back":
            self.say(StopWorker())
        if self.nature == "talkative":
            sys.stderr.write(f"Loading with {os.environ.get('SAID', '')}\n")
            line = {"level": "ERROR", "logger": "inference.x", "event": "It broke.", "job": "a"}
            sys.stderr.write(json.dumps(line | {"attempt": 2}) + "\nlast words")
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        if self.nature == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.nature == "dies four times":
            lives = self.outbox / "lives"
            lived = len(lives.read_text()) if lives.exists() else 0
            lives.write_text("." * (lived + 1))
            if lived < 4:
                os.kill(os.getpid(), signal.SIGKILL)
        if self.nature == "silent":
            return
        model = ModelInfo(name="child", kind="diffusion", size=64)
        seen = [] if self.nature == "eager" else sorted(os.environ)
        if self.nature == "sees":
            seen = [f"{name}={value}" for name, value in sorted(os.environ.items())]
            seen += [f"device={self.device}", f"device_workers={self.device_workers}"]
        self.say(
            WorkerReady(device="cpu", dtype="none", models=(model,), notes=tuple(map(Notice, seen)))
        )
        if self.nature == "resident":
            self.say(ResidentModels(names=("", "child")))
            self.say(ModelsChanged(models=(dataclasses.replace(model, digest="abc"),)))
        threading.Thread(target=self.watch, daemon=True).start()
        while self.nature == "floods":
            self.say(JobProgress(job_id="a", attempt=1, step=1, steps=1))

    def watch(self) -> None:
        """Do with the jobs in hand what the files say."""
        while True:
            for path in self.outbox.glob("*.f*"):
                self.act(path.stem, path.suffix)
            time.sleep(LOOK)

    def act(self, job_id: str, deed: str) -> None:
        job = self.held.pop(job_id, None)
        if job is None:
            return
        if deed == ".finish":
            self.say(JobProgress(job_id=job_id, attempt=job.attempt, step=1, steps=1))
            self.say(JobFinished(job_id=job_id, attempt=job.attempt, images=(), text="done"))
        elif deed == ".fail":
            self.say(
                JobFailed(
                    job_id=job_id, attempt=job.attempt, reason=Notice("no"), error_kind="input"
                )
            )

    def paint(self, job: SubmitJob) -> None:
        """Answer with the picture that came in, after two steps."""
        for step in (1, 2):
            self.say(JobProgress(job_id=job.job_id, attempt=job.attempt, step=step, steps=2))
        path = self.outbox / f"tmp-{job.job_id}.png"
        if self.nature == "copies":
            shutil.copyfile(job.inputs["image"], path)
            self.finish_job(job, path)
            return
        with Image.open(job.inputs["image"]) as picture:
            picture.save(path)
        self.finish_job(job, path)

    def finish_job(self, job: SubmitJob, path: Path) -> None:
        """Answer with a picture."""
        image = OutputFile(path=str(path), width=32, height=24, media_type="image/png", seed=7)
        self.say(
            JobFinished(
                job_id=job.job_id,
                attempt=job.attempt,
                images=(image,),
                notes=(Notice("as it was"),),
                seconds=0.5,
            )
        )

    def step(self, job: SubmitJob) -> None:
        """Take as many steps as asked, in no hurry, and answer with what came in."""
        steps = int(job.params["steps"])
        self.tally("begun", job)
        for step in range(1, steps + 1):
            time.sleep(STEP)
            if job.job_id not in self.held:
                return
            self.say(JobProgress(job_id=job.job_id, attempt=job.attempt, step=step, steps=steps))
        self.held.pop(job.job_id, None)
        self.tally("ended", job)
        self.paint(job)

    def tally(self, deed: str, job: SubmitJob) -> None:
        """Note on a node, for who counts it, that a job was begun or ended, and by whom."""
        if self.outbox.name.startswith("seat"):
            fields = (time.monotonic(), deed, job.job_id, job.attempt, os.getpid(), os.getppid())
            with (self.outbox.parent / TALLY_FILE).open("a") as file:
                file.write(" ".join(map(str, fields)) + "\n")

    def work(self) -> None:
        """Take commands until told to stop."""
        while True:
            match wire.read_message(sys.stdin.buffer):
                case SubmitJob() as job if self.nature in ("eager", "copies"):
                    self.paint(job)
                case SubmitJob() as job if self.nature == "unhurried":
                    self.held[job.job_id] = job
                    threading.Thread(target=self.step, args=(job,), daemon=True).start()
                case SubmitJob() as job if self.nature == "refusing":
                    reason = Notice("The picture is too dark.")
                    self.say(
                        JobFailed(
                            job_id=job.job_id,
                            attempt=job.attempt,
                            reason=reason,
                            error_kind="input",
                        )
                    )
                case SubmitJob() as job:
                    self.held[job.job_id] = job
                    (self.outbox / f"{job.job_id}.held").touch()
                case CancelJob(job_id=job_id, attempt=attempt):
                    if self.nature != "deaf to cancels" and self.held.pop(job_id, None):
                        self.say(JobCancelled(job_id=job_id, attempt=attempt))
                case StopWorker(drain=drain) if self.nature != "stubborn":
                    (self.outbox / "stopped").write_text("drained" if drain else "at once")
                    return
                case None if self.nature != "stubborn":
                    return
                case None:
                    time.sleep(60)
                case _:
                    continue


def main() -> None:
    first = wire.read_message(sys.stdin.buffer)
    assert isinstance(first, ConfigureWorker)
    child = Child(first)
    child.begin()
    child.work()


if __name__ == "__main__":
    main()
